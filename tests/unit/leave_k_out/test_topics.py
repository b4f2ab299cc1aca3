"""Which training images are on the topic of a query."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from configured import experiment
from leavekout.base.errors import InputError
from leavekout.data import digits, letters
from leavekout.leave_k_out.topics import named_topic, nearest_topics

TOPICS = ["one|1", "two|2", "cat|kitten"]


def test_whole_words_name_a_topic_in_any_case() -> None:
    captions = [["a stone"], ["the 1.", "a dog"], ["One"], ["21"], ["2"], ["a Kitten, asleep"]]
    assert named_topic("q000", "number ONE", captions, TOPICS).tolist() == [1, 2]
    assert named_topic("q000", "two cats? a cat", captions, TOPICS).tolist() == [4, 5]


def test_a_prompt_without_a_topic_and_a_topic_without_images_are_refused() -> None:
    with pytest.raises(InputError, match="the prompt of query q003, 'someone', names none"):
        named_topic("q003", "someone", [["one"]], TOPICS)
    with pytest.raises(InputError, match=r"no training caption names 'cat\|kitten'"):
        named_topic("q003", "a cat", [["one"]], TOPICS)


def test_the_topics_of_digits_are_the_labels() -> None:
    topics, labels = experiment("digits-topic").dataset.topics, load_digits().target
    captions = [
        [digits.fill(template, label) for template in digits.chosen_templates(number)]
        for number, label in enumerate(labels)
    ]
    for template in digits.templates()[1]:
        for label in range(10):
            rows = named_topic("q000", digits.fill(template, label), captions, topics)
            assert rows.tolist() == np.flatnonzero(labels == label).tolist()


def test_the_topics_of_letters_are_the_characters() -> None:
    topics = experiment("letters-topic").dataset.topics
    train, held_out = letters.templates()
    captions = [
        [letters.fill(template, character, typeface) for template in train]
        for character in letters.CHARACTERS
        for typeface in letters.TYPEFACES
    ]
    for number, character in enumerate(letters.CHARACTERS):
        prompt = letters.fill(held_out[number % 4], character, letters.TYPEFACES[number % 16])
        rows = named_topic("q000", prompt, captions, topics)
        assert rows.tolist() == [*range(16 * number, 16 * number + 16)]


def test_the_nearest_captions_are_those_with_the_largest_mean_cosine() -> None:
    rng = np.random.default_rng(0)
    prompts, captions = rng.standard_normal((2, 8)), rng.standard_normal((30, 5, 8))
    found = nearest_topics(prompts, captions, 7)
    for prompt, rows in zip(prompts, found, strict=True):
        means = [
            np.mean([own @ prompt / np.linalg.norm(own) for own in of_image])
            for of_image in captions
        ]
        assert rows.tolist() == sorted(range(30), key=lambda row: -means[row])[:7]
