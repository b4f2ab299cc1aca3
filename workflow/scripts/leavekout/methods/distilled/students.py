"""Distilled features (FDA): features of images that rank as attribution by unlearning does.

Wang et al., *Fast Data Attribution for Text-to-Image Models* (NeurIPS 2025). A small network maps
features of a picture and its caption so that their cosine predicts the rank that unlearning gives
an image among a query's nearest neighbours. It is trained once, on queries that appear in no
reported number, and then scores a query by features alone.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from leavekout.encoders.similarity import cosine_scores
from leavekout.methods.distilled.settings import Distilled

logger = logging.getLogger("leavekout")


class Student(nn.Module):
    """An MLP on features, and a linear map from cosines to logits of ranks.

    Args:
        features: their dimension.
    """

    def __init__(self, features: int, config: Distilled) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = features
        for _ in range(config.layers):
            layers += [nn.Linear(width, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
            width = config.width
        self.network = nn.Sequential(*layers, nn.Linear(width, config.width))
        self.slope = nn.Parameter(torch.tensor(-1.0))  # the first ranks are the most alike
        self.offset = nn.Parameter(torch.tensor(0.0))

    def forward(self, query: Tensor, image: Tensor) -> Tensor:
        """The logit of rank / candidates: [B] of features [B, D] each."""
        cosine = functional.cosine_similarity(self.network(query), self.network(image))
        return self.slope * cosine + self.offset


@dataclass(frozen=True)
class Lessons:
    """A teacher's ranking of images for its queries.

    Args:
        queries: float32 [T, D], features.
        images: float32 [N, D], features.
        candidates: int64 [T, C], the ranked rows of each query, the most influential first.
        order: int64 [N], rows sorted by image id, so that draws do not depend on the rows' order.
    """

    queries: Tensor
    images: Tensor
    candidates: Tensor
    order: Tensor


def lessons(
    queries: np.ndarray,
    images: np.ndarray,
    scores: Sequence[np.ndarray],
    near: np.ndarray,
    *,
    image_ids: np.ndarray,
) -> Lessons:
    """The ranks of each query's nearest neighbours by its teacher's scores.

    Args:
        queries: [T, D]; images: [N, D].
        scores: the teacher's scores of each query, [N]; only its neighbours' are used.
        near: int64 [T, C], the neighbours, from `similarity.nearest`.
        image_ids: [N].
    """
    ranked = [
        rows[np.argsort(-s[rows], kind="stable")] for rows, s in zip(near, scores, strict=True)
    ]
    return Lessons(
        torch.from_numpy(np.asarray(queries, np.float32)),
        torch.from_numpy(np.asarray(images, np.float32)),
        torch.from_numpy(np.stack(ranked)),
        torch.from_numpy(np.argsort(image_ids, kind="stable")),
    )


def draw_pairs(
    given: Lessons, count: int, outside: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Random pairs to learn from: queries and rows, int64 [B], and targets float32 [B].

    The target is rank / C, 0 for the most influential. With probability `outside` the image is
    drawn from the whole training set, and the target is (C − 1) / C.
    """
    teachers, candidates = given.candidates.shape
    query = torch.randint(teachers, (count,), generator=generator)
    rank = torch.randint(candidates, (count,), generator=generator)
    row = given.candidates[query, rank]
    away = torch.rand(count, generator=generator) < outside
    drawn = torch.randint(len(given.images), (int(away.sum()),), generator=generator)
    row[away] = given.order[drawn]
    rank[away] = candidates - 1
    return query, row, rank / candidates


def train_student(given: Lessons, config: Distilled, number: int = 0) -> Student:
    """Learns the ranks by binary cross-entropy; the same on every run.

    Args:
        number: the student's number, which is added to the seed.
    """
    seed = config.seed + number
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = Student(given.images.shape[1], config).train()
        optimizer = torch.optim.AdamW(
            student.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        steps = max(1, round(config.epochs * given.candidates.numel() / config.batch_size))
        loss = torch.zeros(())
        for _ in range(steps):
            query, row, target = draw_pairs(given, config.batch_size, config.outside, generator)
            logits = student(given.queries[query], given.images[row])
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    logger.info("distilled in %d steps to a cross-entropy of %.3f", steps, float(loss.detach()))
    return student.eval()


@torch.no_grad()
def student_scores(student: Student, queries: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Scores of all images, higher for a lower predicted rank: float32 [Q, N, F].

    Args:
        queries: [Q, D]; images: [N, F, D].
    """
    outputs = [
        student.network(torch.from_numpy(np.asarray(x, np.float32)).flatten(0, -2)).numpy()
        for x in (queries, images)
    ]
    cosines = cosine_scores(*outputs).reshape(len(queries), *images.shape[:2])
    return (-float(student.slope) * cosines).astype(np.float32)
