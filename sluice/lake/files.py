"""Files of tables through pyarrow, as pyiceberg asks for them, with their requests to S3 counted."""

from __future__ import annotations

from pyiceberg.io import InputStream, OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from sluice.lake.requests import count

# What the offline AWS sees pyarrow do: it looks how long a file is, then reads it; it writes even small ones in parts.
_READ = ("s3.HeadObject", "s3.GetObject")
_WRITE = ("s3.CreateMultipartUpload", "s3.UploadPart", "s3.CompleteMultipartUpload")


class CountedFile(PyArrowFile):
    """A file whose opening is counted."""

    def open(self, seekable: bool = True) -> InputStream:
        """Open it for reading."""
        count(*_READ)
        return super().open(seekable)

    def create(self, overwrite: bool = False) -> OutputStream:
        """Open it for writing."""
        count(*_WRITE)
        return super().create(overwrite)


class CountedFileIO(PyArrowFileIO):
    """pyiceberg's own way to files, but for the counting."""

    def new_input(self, location: str) -> PyArrowFile:
        """Name a file to read."""
        return self._counted(location)

    def new_output(self, location: str) -> PyArrowFile:
        """Name a file to write."""
        return self._counted(location)

    def _counted(self, location: str) -> CountedFile:
        scheme, place, path = self.parse_location(location, self.properties)
        return CountedFile(fs=self.fs_by_scheme(scheme, place), location=location, path=path)
