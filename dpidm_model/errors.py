"""Every error of this project. A message says what was found, what was expected and what to do."""


class DPIDMError(Exception):
    """Base of all errors raised on purpose."""


class InputError(DPIDMError, ValueError):
    """The user's input (image, video, pose, mask, number) cannot be used as it is."""


class CheckpointError(DPIDMError):
    """A weight file is broken, of another kind, or does not fit the network."""


class MissingFileError(DPIDMError, FileNotFoundError):
    """A file that the user has to provide is not where it is looked for."""


class MissingDependencyError(DPIDMError, ImportError):
    """An optional Python package is absent; the message holds the pip line that installs it."""


def require(module: str, *, pip: str, needed_for: str):
    """Import an optional module, or raise MissingDependencyError with the exact pip line.

    module: dotted name to import.  pip: the requirement to install.  needed_for: what fails without it.
    """
    import importlib
    import sys

    try:
        return importlib.import_module(module)
    except Exception as error:  # broken installs raise OSError, RuntimeError, AttributeError, not only ImportError
        raise MissingDependencyError(
            f"{needed_for} needs the Python package {pip!r}, and importing {module!r} failed "
            f"({type(error).__name__}: {error}); run: {sys.executable} -m pip install {pip}"
        ) from error
