"""What is written beside a type in the declaration of a key: how it is read, and what editors are shown.

pydantic asks these markers for its schemas (`__get_pydantic_core_schema__`), the JSON Schemas take theirs
from the same objects. pydantic itself is imported only when it asks, so that the specs cost nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Read:
    """How a scalar becomes a value, and the JSON Schema of what an editor may type for it.

    `with_info`: `read` also gets pydantic's `ValidationInfo`, for the keys above it and the file's context.
    """

    __slots__ = ("read", "schema", "with_info")

    def __init__(
        self, read: Callable[..., Any], schema: Mapping[str, Any], *, with_info: bool = False
    ) -> None:
        self.read, self.schema, self.with_info = read, schema, with_info

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        if self.with_info:
            return core_schema.with_info_plain_validator_function(self.read)
        return core_schema.no_info_plain_validator_function(self.read)


class Wrap:
    """A function that gets a value before its type does, and the type as `handler`."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Any, Callable[[Any], Any]], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_wrap_validator_function(self.function, handler(source))


def form_of(value: object) -> str:
    """The form in which a value was written: `mapping`, `list` or `scalar`."""
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "scalar"


class OneOf:
    """A value that may be written in several forms, each with a type of its own.

    `message` is the fault of a value in another form; without one, the scalar's reader refuses it.
    """

    __slots__ = ("forms", "message")

    def __init__(self, forms: Mapping[str, Any], message: str | None = None) -> None:
        self.forms, self.message = forms, message

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        otherwise = None if self.message else "<scalar>"
        tags = {form: f"<{form}>" for form in self.forms}
        return core_schema.tagged_union_schema(
            {tags[form]: handler.generate_schema(kind) for form, kind in self.forms.items()},
            discriminator=lambda value: tags.get(form_of(value), otherwise),
            custom_error_type="invalid-value" if self.message else None,
            custom_error_message=self.message,
        )


TAGS = frozenset({"<scalar>", "<mapping>", "<list>"})
"""What pydantic puts into the path of a fault inside a `OneOf`, and no file has."""


class Key:
    """A key of a file: its hover, examples, and its default as an editor would write it."""

    __slots__ = ("decides_sending", "derived", "examples", "hover", "instead_of_null", "meanings", "shown")

    def __init__(
        self,
        hover: str,
        *examples: Any,
        shown: Any = None,
        meanings: Sequence[str] = (),
        derived: bool = False,
        decides_sending: bool = False,
        instead_of_null: str | None = None,
    ) -> None:
        self.hover = hover
        self.examples = examples
        self.shown = shown
        """The default as it is written in a file, where the spec's value looks different."""
        self.meanings = meanings
        """What each value of an enumeration means, in their order."""
        self.derived = derived
        """A rule (`scheduler.desired.models`) makes the value where the key is not there."""
        self.decides_sending = decides_sending
        """It says where publications go, with which secret, or when: reviews show every change of it."""
        self.instead_of_null = instead_of_null
        """What to write, where `null` may mean that something was emptied or not decided, and is refused.

        Other keys that are not required are absent where they are null, as programs write them.
        """
