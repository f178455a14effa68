"""Errors a user can mend. The command line prints their message alone, without a traceback."""


class UserturnError(Exception):
    """Base of every error that names a file, key or model and says the mend."""


class StudyError(UserturnError):
    """`params.yaml` is not a valid study."""


class SourceError(UserturnError):
    """Bytes could not be obtained, or are not the bytes that the study pins."""


class PromptError(UserturnError):
    """A dataset cannot be read as prompts."""


class TemplateError(UserturnError):
    """A chat template cannot carry the conversation, or changes it."""


class EngineError(UserturnError):
    """An inference engine is missing, cannot load a model, or broke while generating."""


class JudgeError(UserturnError):
    """A judge cannot be understood, or has reached its cost ceiling."""


class ArtifactError(UserturnError):
    """An artifact is missing, corrupt, of another schema or from another study."""
