"""Files in shared memory that finished frames are written to. The other side maps such a file and removes it; whoever makes a file that is never
told of leaves it to the other side, which removes all files of a job at its end."""

import errno
import mmap
import os

from . import messages


class FrameFile:
    """`count` frames of `height` x `width` x 3 bytes, without padding."""

    def __init__(self, path: str, shape: tuple[int, int, int], memory: mmap.mmap):
        self.path = path
        self.shape = shape
        self._memory = memory

    @classmethod
    def make(cls, job: int, output: int, count: int, height: int, width: int) -> "FrameFile":
        """Takes the memory at once, so that a full /dev/shm is an error here and the next folder's turn, not a crash at the first write."""
        size = count * height * width * 3
        folders = os.environ[messages.FRAMES_DIRS].split(":")
        for folder in folders:
            path = os.path.join(folder, f"{job}-{output}")
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(fd, 0, size)
                return cls(path, (count, height, width), mmap.mmap(fd, size))
            except OSError as error:
                os.unlink(path)
                if error.errno != errno.ENOSPC or folder == folders[-1]:
                    raise
            finally:
                os.close(fd)
        raise AssertionError("no folder for frames")

    def write(self, first: int, pixels):
        """Puts frames [first, ...) in place: a uint8 tensor (on any device) or array of shape [frames, height, width, 3]."""
        import torch

        count, height, width = self.shape
        whole = torch.frombuffer(self._memory, dtype=torch.uint8).view(count, height, width, 3)
        part = pixels if isinstance(pixels, torch.Tensor) else torch.from_numpy(pixels)
        whole[first : first + part.shape[0]].copy_(part)

    def drop(self):
        """Nobody was told of it."""
        self.close()
        os.unlink(self.path)

    def close(self):
        """The pages stay for whoever maps them; ours go when nothing here refers to them any more."""
        self._memory = None


def stand_in():
    """A frame of one pixel, for SGLang's own way back to its client, which wants some frame for each output."""
    import numpy

    return numpy.zeros((1, 1, 1, 3), numpy.uint8)
