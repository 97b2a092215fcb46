"""Objects in a store that fsspec knows, and one clear line for what its libraries raise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, MachineError, RunError


class ObjectStore:
    """Objects under an address, by their names below it. FileNotFoundError and FileExistsError are the caller's."""

    def __init__(self, address: str) -> None:
        self.address = address
        if set(address) & set("*?[]"):  # fsspec would take it for a pattern, and remove what fits
            raise HarnessError(f"{address}: holds one of * ? [ ]. Write an address without them.")
        if set(address.partition("://")[2].split("/")) & {".", ".."}:
            raise HarnessError(f"{address}: leads through '.' or '..'. Write an address without them.")
        try:
            import fsspec
        except ImportError:
            raise HarnessError(
                f"{address}: fsspec is not installed. Install it with: pip install '.[storage]'"
            ) from None
        try:  # an instance of our own, which looks every time
            self._fs, root = fsspec.core.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            todo = "pip install '.[storage]'" if address.startswith(("s3://", "s3a://")) else "see its message"
            raise HarnessError(f"{address}: {first_line(error)}. Install what it needs: {todo}.") from None
        except ValueError as error:
            raise HarnessError(f"{address}: {first_line(error)}. Write an address such as s3://bucket/run.") from None
        self._root = str(root).rstrip("/")
        if not self._root:
            raise HarnessError(f"{address}: names no run. Write an address such as s3://bucket/run.")

    def names(self) -> list[str]:
        """Every object. Raises RunError where not even the bucket is there."""
        try:
            with self._asked():
                found = self._fs.find(self._root)
        except FileNotFoundError as error:
            raise RunError(f"{self.address}: {first_line(error)}. Make it, or correct the address.") from None
        inside = f"{self._root}/"  # where the first object appears just now, s3fs finds the folder itself
        return [str(one).removeprefix(inside) for one in found if str(one).startswith(inside)]

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        with self._asked():
            found = self._fs.cat([self._path(file) for file in names])
        held = {str(path).strip("/"): data for path, data in found.items()}
        return {file: held[self._path(file).strip("/")] for file in names}

    def download(self, file: str, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        with self._asked():
            self._fs.get_file(self._path(file), str(to))

    def write(self, file: str, data: bytes, new: bool = False) -> None:
        """new: FileExistsError where it is there already."""
        try:
            with self._asked():
                self._fs.pipe_file(self._path(file), data, mode="create" if new else "overwrite")
        except FileNotFoundError as error:
            raise RunError(f"{self.address}: {first_line(error)}. Make it, or correct the address.") from None

    def upload(self, path: Path, file: str) -> None:
        with self._asked():
            self._fs.put_file(str(path), self._path(file))

    def remove(self, names: Sequence[str]) -> None:
        with self._asked():
            if names:
                self._fs.rm([self._path(file) for file in names])

    def _path(self, file: str) -> str:
        return f"{self._root}/{file}"

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except PermissionError as error:
            raise MachineError(f"{self.address}: not allowed ({first_line(error)}). Fix the permission.") from None
        except Exception as error:  # every store brings errors of its own library
            raise MachineError(
                f"{self.address}: {first_line(error)}. Is the address right, are there credentials, is it up?"
            ) from None


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
