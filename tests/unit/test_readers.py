"""Files are read where docs/architecture.md says, so a new reader of others' files is noticed."""

import ast
import re
from collections.abc import Iterator

from project import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
# How a call is named that reads a file, whatever the library.
READS = re.compile(
    r"open(_\w+)?|\w+_open|i?m?read(_\w+)?|\w*[Rr]eader|(\w+_)?load(s|_?[a-z]\w*)?|\w+_download|parse"
    r"|\w*File|memmap|from(file|_file|_pretrained|_json)|genfromtxt|create_model\w*|connect"
    r"|get_tokenizer|truetype|model_validate_json"
)
NO_FILE = {"read", "load_state_dict", "nn.Embedding.from_pretrained", "create_model"} | {
    "connection.connect"
}
FORMATS = {  # with a dot before it: a method of any object
    "pictures": {"Image.open"},
    "JSON": {"json.load", "json.loads", ".model_validate_json"},
    "YAML": {"yaml.load", "yaml.safe_load"},
    "npy": {"np.load", "np.lib.format.open_memmap"},
    "parquet, CSV": {"pd.read_parquet", "pd.read_csv", "csv.DictReader"},
    "safetensors": {"safe_open"},
    "PyTorch": {"torch.load"},
    "zip": {"zipfile.ZipFile", "file.open"},
    "tar, 7z": {"tarfile.open", "py7zr.SevenZipFile", "io.BufferedReader"},
    "pickle": {"unpickler.load"},
    "folders of models": {
        *("kind.from_pretrained", "AutoImageProcessor.from_pretrained", "load"),
        *("open_clip.create_model_from_pretrained", "timm.create_model", "open_clip.get_tokenizer"),
        "hub.hf_hub_download",
        "snapshot_download",
    },
    "text": {".read_text"},
    "bytes": {"open", "os.open", ".read_bytes"},
    "of libraries": {"load_digits", "ImageFont.truetype"},
}


def is_ours(node: ast.AST) -> bool:
    """Whether names that a statement binds are of this project."""
    match node:
        case ast.ImportFrom(module=str(module)):
            return module.startswith("leavekout") or (SCRIPTS / f"{module}.py").exists()
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def bound(node: ast.AST) -> list[str]:
    """The names that a statement binds."""
    match node:
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
    return []


def name_of(call: ast.Call) -> tuple[str, str]:
    """The first name of what is called, and all of it: ("np", "np.lib.format.open_memmap")."""
    parts, node = [], call.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    first = node.id if isinstance(node, ast.Name) else ""
    return first, ".".join([first, *reversed(parts)])


def writes(call: ast.Call) -> bool:
    """Whether an `open` is for writing."""
    modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return any(isinstance(mode, str) and mode[:1] in "wax" for mode in modes)


def readers(source: str) -> Iterator[str]:
    """The calls in a module that may read a file with another's code."""
    nodes = [*ast.walk(ast.parse(source))]
    ours = {name for node in nodes if is_ours(node) for name in bound(node)}
    for node in nodes:
        if isinstance(node, ast.Call) and not writes(node):
            first, name = name_of(node)
            last = name.rpartition(".")[2]
            foreign = first not in ours or last == "model_validate_json"  # of pydantic's classes
            if foreign and READS.fullmatch(last) and not {name, last} & NO_FILE:
                yield name


def format_of(name: str) -> str:
    """The format that a call reads; the call's own name if it is none that we know."""
    names = {name, f".{name.rpartition('.')[2]}"}
    return next((known for known, calls in FORMATS.items() if calls & names), name)


def documented() -> set[tuple[str, str]]:
    """Format and module, from the table of the documentation."""
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Where files are read")[1]
    rows = re.findall(r"^\| ([^|]+) \|(.*)\|$", text.split("\n## ")[0], re.M)
    return {(kind, place) for kind, cells in rows for place in re.findall(r"`([^`]+\.py)`", cells)}


def test_every_reader_is_in_the_table_of_the_documentation() -> None:
    found = {
        (format_of(name), str(path.relative_to(SCRIPTS)).removeprefix("leavekout/"))
        for path in SCRIPTS.rglob("*.py")
        for name in readers(path.read_text())
    }
    assert found == documented()


def test_new_readers_are_noticed() -> None:
    source = (
        "import gzip, pickle, h5py, pandas as pd\nfrom leavekout.base.artifacts import load_npy\n"
        "pd.read_csv(f); pickle.load(f); gzip.open(f); h5py.File(f); open(f); p.read_text()\n"
        "load_npy(f); open(f, 'w'); model.load_state_dict(x); cv2.imread(f); scipy.io.loadmat(f)"
    )
    assert [*map(format_of, readers(source))] == [
        *("parquet, CSV", "pickle.load", "gzip.open", "h5py.File", "bytes", "text"),
        *("cv2.imread", "scipy.io.loadmat"),
    ]
