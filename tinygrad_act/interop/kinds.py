"""What a file is, by how it begins."""

from __future__ import annotations

from .source import Source

KNOWN = {
    b"version https://git-lfs": ("it is only a pointer of git-lfs to the file", "fetch the file itself: git lfs pull"),
    b"<": ("it is a web page, not the file that was to be downloaded", "download the file itself"),
    b"\x89HDF": ("it is an HDF5 file, as Keras writes", "read its arrays with h5py; ta.interop.keras puts them into PyTorch's layouts"),
    b"GGUF": ("it is a GGUF file", "get the model's safetensors"),
    b"\x93NUMPY": ("it is a .npy file of NumPy's", "ta.tensor(numpy.load(path)) reads it"),
    b"\x1f\x8b": ("it is compressed by gzip", "gunzip it first"),
    b"\x80": ("it is a pickle, but none that torch.save writes by default", "in PyTorch: torch.save(model.state_dict(), path)"),
}


def what_it_is(source: Source) -> tuple[str, str]:
    """(what a file is that cannot be read, what to do)."""
    source.seek(0)
    head = source.read(min(512, source.size))
    for begins, found in KNOWN.items():
        if head.startswith(begins):
            return found
    if head[257:262] == b"ustar":
        return "it is a tar archive, as PyTorch wrote before its version 0.1.10", "load it with PyTorch and save it anew"
    if not head:
        return "it is empty", "get it anew"
    return f"it is no file of tensors that is known here: it begins with {head[:16]!r}", "save it as safetensors"
