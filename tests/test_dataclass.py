"""llmr's `@dataclass` makes what the standard library's makes; the two stand side by side here."""

import copy
import dataclasses
import inspect
import math
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, InitVar, field
from dataclasses import dataclass as stdlib
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.dataclass import dataclass, replace

T = TypeVar("T")
MAKERS = pytest.mark.parametrize("maker", [dataclass, stdlib], ids=["llmr", "stdlib"])


def told(call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call gives, or how it fails."""
    try:
        return call(*arguments)
    except Exception as error:  # noqa: BLE001  # whichever it is
        return type(error), str(error)


def both(define: Callable[[Any], type]) -> tuple[type, type]:
    """The class as either of the makers makes it, under one name."""
    return define(dataclass), define(stdlib)


def shown(cls: type, /, *arguments: Any, **named: Any) -> Any:
    """An instance as text, or how making it fails."""
    made = told(lambda: repr(cls(*arguments, **named)))
    return made.partition(" at 0x")[0] if isinstance(made, str) else made


def alike(ours: type, theirs: type, /, *arguments: Any, **named: Any) -> None:
    """The two classes, and instances made by these arguments, cannot be told apart."""
    assert shown(ours, *arguments, **named) == shown(theirs, *arguments, **named)
    for seen in (
        lambda cls: str(inspect.signature(cls)),
        lambda cls: cls.__doc__,
        lambda cls: cls.__match_args__,
        lambda cls: cls.__slots__,
        lambda cls: cls.__init__.__qualname__,
        lambda cls: inspect.get_annotations(cls.__init__),
        lambda cls: cls.__qualname__,
        lambda cls: cls.__hash__ is None,
        dataclasses.is_dataclass,
        lambda cls: [repr(each) for each in cls.__dataclass_fields__.values()],
        lambda cls: repr(cls.__dataclass_params__),
    ):
        assert told(seen, ours) == told(seen, theirs)
    if isinstance(shown(theirs, *arguments, **named), tuple):
        return
    for done in (
        dataclasses.asdict,
        lambda made: hash(made) == object.__hash__(made) or hash(made),
        lambda made: made == copy.copy(made),
        lambda made: made == copy.deepcopy(made),
        lambda made: made == object(),
        lambda made: dataclasses.replace(made) == made,
        lambda made: dataclasses.replace(made, nothing=1),
        lambda made: [told(setattr, made, name, 1) for name in made.__match_args__],
        lambda made: [told(delattr, made, name) for name in made.__match_args__],
        lambda made: weakref.ref(made)() is made,
    ):
        assert told(done, ours(*arguments, **named)) == told(done, theirs(*arguments, **named))


# -- any shape ---------------------------------------------------------------------------------------------------------

KINDS = ("bare", "default", "factory", "default field", "factory field", "no repr", "no compare", "no hash", "no init",
         "kw_only", "class variable", "marker")  # fmt: skip
NAMES = ("self", "a", "value", "name", "cls", "other", "_1", "make", "object", "_private", "_0")


def attribute(kind: str, value: int) -> tuple[Any, Any]:
    """The annotation and the value in the class's body; ... for none."""
    table: dict[str, tuple[Any, Any]] = {
        "bare": (int, ...),
        "default": (int, value),
        "factory": (list, field(default_factory=list)),
        "default field": (int, field(default=value)),
        "factory field": (tuple, field(default_factory=tuple, repr=False)),
        "no repr": (int, field(repr=False)),
        "no compare": (int, field(default=value, compare=False)),
        "no hash": (int, field(default=value, hash=False)),
        "no init": (int, field(default=value, init=False)),
        "kw_only": (int, field(default=value, kw_only=True)),
        "class variable": (ClassVar[int], value),
        "marker": (KW_ONLY, ...),
    }
    return table[kind]


Shape = list[tuple[str, str, int]]
shapes = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), st.integers(0, 3)),
    max_size=6,
    unique_by=lambda one: one[0],
)
options = st.fixed_dictionaries(
    {"slots": st.just(True)},
    optional={name: st.booleans() for name in ("frozen", "eq", "repr", "kw_only")},
)


def shaped(maker: Any, shape: Shape, chosen: dict[str, bool], bases: tuple[type, ...] = ()) -> type:
    members: dict[str, Any] = {"__module__": __name__, "__annotations__": {}}
    for name, kind, value in shape:
        annotation, given = attribute(kind, value)
        members["__annotations__"][name] = annotation
        if given is not ...:
            members[name] = given
    return maker(**chosen)(type("Shaped", bases, members))


@settings(deadline=None)  # the machine may be busy
@given(
    shapes, options, st.lists(st.integers(0, 3), max_size=6), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3))
)
def test_any_shape_is_as_the_standard_library_makes_it(shape, chosen, arguments, named):
    made = [told(lambda m=maker: shaped(m, shape, chosen)) for maker in (dataclass, stdlib)]
    if isinstance(made[1], tuple):  # how it is refused
        assert made[0] == made[1]
    else:
        alike(*made, *arguments, **named)


@settings(deadline=None)  # the machine may be busy
@given(shapes, shapes, options, options, st.lists(st.integers(0, 3), max_size=6))
def test_any_shape_inherits_as_the_standard_library_has_it(first, second, chosen, again, arguments):
    def define(maker: Any) -> type:
        return shaped(maker, second, again, (shaped(maker, first, chosen),))

    made = told(lambda: define(dataclass)), told(lambda: define(stdlib))
    if isinstance(made[1], tuple):
        assert made[0] == made[1]
    else:
        alike(*made, *arguments)


# -- what shapes do not reach ------------------------------------------------------------------------------------------


def test_wrong_arguments_are_refused_in_the_same_words():
    def define(maker: Any) -> type:
        @maker(frozen=True, slots=True)
        class Point:
            x: int
            y: int = 0
            _: KW_ONLY
            z: int

        return Point

    ours, theirs = both(define)
    for arguments, named in (
        ((), {}),
        ((1, 2, 3), {"z": 1}),
        ((1,), {}),
        ((1,), {"x": 1, "z": 1}),
        ((1,), {"z": 1, "w": 2}),
    ):
        alike(ours, theirs, *arguments, **named)
        assert isinstance(shown(ours, *arguments, **named), tuple)
    alike(ours, theirs, 1, z=2)


def test_own_methods_are_kept():
    def define(maker: Any) -> type:
        @maker(frozen=True, slots=True)
        class Own:  # noqa: PLW1641
            """Said."""

            x: int

            def __repr__(self) -> str:
                return "mine"

            def __eq__(self, other: object) -> bool:
                return True

        return Own

    alike(*both(define), 1)
    assert define(dataclass)(1) == 5
    assert hash(define(dataclass)(1)) == hash((1,))  # as the standard library: an own __eq__ alone does not unhash


def test_an_own_hash_stays_and_an_own_init_too():
    def define(maker: Any) -> type:
        @maker(slots=True)
        class Own:
            x: int

            def __init__(self) -> None:
                self.x = 7

            def __hash__(self) -> int:
                return 3

        return Own

    alike(*both(define))
    assert (define(dataclass)().x, hash(define(dataclass)())) == (7, 3)


def test_what_comes_after_the_fields_runs_in_a_mutable_and_in_a_frozen_class():
    def define(maker: Any, **chosen: bool) -> type:
        @maker(slots=True, **chosen)
        class After:
            x: list[int]
            y: int = field(init=False, default=4)
            z: int = field(init=False)

            def __post_init__(self) -> None:
                self.x.append(self.y)

        return After

    for chosen in ({}, {"frozen": True}):
        made = [define(maker, **chosen)([1]) for maker in (dataclass, stdlib)]
        assert [one.x for one in made] == [[1, 4], [1, 4]]
        assert told(getattr, made[0], "z") == told(getattr, made[1], "z")


@dataclass(frozen=True, slots=True)
class Kept:
    """At the module's level, for pickle."""

    x: int
    y: tuple[str, ...] = ()
    hidden: str = field(default="secret", repr=False, compare=False)


@dataclass(slots=True)
class Loose:
    x: int


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_and_copies_come_back(protocol):
    for value in (Kept(1, ("a",), hidden="h"), Loose(3)):
        for back in (pickle.loads(pickle.dumps(value, protocol)), copy.copy(value), copy.deepcopy(value)):
            assert back == value
            assert back is not value
    assert pickle.loads(pickle.dumps(Kept(1, hidden="h"), protocol)).hidden == "h"


def test_a_frozen_value_takes_no_name_at_all_and_its_subclass_only_what_is_no_field():
    value = Kept(1)
    for name in ("x", "hidden", "other"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(value, name, 1)
        with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(value, name)

    class Wider(Kept):
        pass

    wide = Wider(1)
    wide.other = 5
    assert (wide.other, told(lambda: setattr(wide, "x", 1))) == (5, (FrozenInstanceError, "cannot assign to field 'x'"))
    del wide.other
    assert (wide == Wider(1), wide == Kept(1)) == (True, False)


def test_generic_protocol_and_plain_bases_do():
    class Named(Protocol):
        name: str

        def greet(self) -> str: ...

    class Plain:
        __slots__ = ("age",)

        def __init_subclass__(cls) -> None:
            super().__init_subclass__()
            cls.seen = getattr(cls, "seen", 0) + 1

    def define(maker: Any) -> type:
        @maker(frozen=True, slots=True)
        class Box(Plain, Generic[T]):
            held: T
            age: int = 3

            def greet(self) -> str:
                return f"{self.held}{self.age}"

        return Box

    ours, theirs = both(define)
    alike(ours, theirs, "a", 4)
    assert ours("a", 4).greet() == "a4"
    assert ours[int].__origin__ is ours
    assert ours.seen == theirs.seen

    @dataclass(frozen=True, slots=True)
    class Said(Named):
        name: str

        def greet(self) -> str:
            return self.name

    assert Said("x").greet() == "x"


@MAKERS
def test_patterns_match_by_position(maker):
    @maker(frozen=True, slots=True)
    class Pair:
        left: int
        right: int

    match Pair(1, 2):
        case Pair(left, 2):
            assert left == 1
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize(
    "chosen",
    [{}, {"slots": True, "order": True}, {"slots": True, "weakref_slot": True}, {"slots": True, "unsafe_hash": True}],
)
def test_what_is_not_known_here_is_made_by_the_standard_library(chosen):
    def define(maker: Any) -> type:
        @maker(**chosen)
        class Other:
            x: int
            y: int = 2

        return Other

    ours, theirs = both(define)
    assert repr(ours(1)) == repr(theirs(1))
    assert told(lambda: ours(1) < ours(2)) == told(lambda: theirs(1) < theirs(2)) or "<" in str(
        told(lambda: ours(1) < ours(2))
    )
    assert inspect.getsourcefile(ours.__eq__) == inspect.getsourcefile(theirs.__eq__)
    assert told(lambda: weakref.ref(ours(1))() is None) == told(lambda: weakref.ref(theirs(1))() is None)


def test_init_variables_and_annotations_as_text_are_understood():
    def define(maker: Any) -> type:
        @maker(slots=True)
        class Given:
            x: "int"
            extra: InitVar[int] = 1
            shared: "ClassVar[int]" = 5
            later: "InitVar[int]" = 0

            def __post_init__(self, extra: int, later: int) -> None:
                self.x += extra

        return Given

    ours, theirs = both(define)
    assert [(made.x, made.shared) for made in (ours(1, 2), theirs(1, 2))] == [(3, 5), (3, 5)]

    @dataclass(slots=True)
    class Below(ours):
        y: int = 2

        def __post_init__(self, extra: int, later: int) -> None:
            self.y += extra

    assert Below(1, 2, 0, 3).y == 5


@MAKERS
def test_a_standard_class_and_one_of_ours_may_inherit_from_each_other(maker):
    other = stdlib if maker is dataclass else dataclass

    @maker(frozen=True, slots=True)
    class Base:
        x: int

    @other(frozen=True, slots=True)
    class Below(Base):
        y: int = 2

    assert repr(Below(1)).endswith("Below(x=1, y=2)")
    assert Below(1) == Below(1, 2) != Base(1)
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        other(slots=True)(type("Loose", (Base,), {}))


def test_not_a_number_compares_as_in_the_standard_library():
    def define(maker: Any) -> type:
        return shaped(maker, [("a", "bare", 0)], {"slots": True, "frozen": True})

    ours, theirs = both(define)
    assert (ours(math.nan) == ours(math.nan)) == (theirs(math.nan) == theirs(math.nan))
    ours_one, theirs_one = ours(float("nan")), theirs(float("nan"))
    assert (ours_one == ours_one) == (theirs_one == theirs_one)


def test_methods_are_made_when_first_looked_up_and_are_plain_functions_then():
    made = shaped(dataclass, [("a", "bare", 0)], {"slots": True, "frozen": True})
    for name in ("__init__", "__repr__", "__eq__", "__hash__"):
        assert not inspect.isfunction(vars(made)[name])
        assert inspect.isfunction(getattr(made, name))
        assert inspect.isfunction(vars(made)[name])
        assert getattr(made, name) is vars(made)[name]


def test_many_threads_may_make_the_first_instance():
    for _ in range(20):
        made = shaped(dataclass, [("a", "bare", 0), ("value", "default", 2)], {"slots": True, "frozen": True})
        start, seen = threading.Barrier(4), []

        def first(made: Any = made, start: Any = start, seen: Any = seen) -> None:
            start.wait()
            seen.append((hash(made(1)), made(1) == made(1, 2), repr(made(1))))

        threads = [threading.Thread(target=first) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [(hash((1, 2)), True, "Shaped(a=1, value=2)")] * 4


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the standard library's from there on")
def test_every_value_of_llmr_is_made_here():
    from llmr.catalog import Provider
    from llmr.chat import ChatRequest

    for value in (Provider, ChatRequest):
        assert vars(value)["__setattr__"].__module__ == "llmr.dataclass"


@dataclass(frozen=True, slots=True)
class Several:
    a: int
    b: str = "b"
    c: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    a: int
    b: str = "b"


@stdlib
class Derived:
    a: int
    b: int = field(init=False, default=7)


@pytest.mark.parametrize("changes", [{}, {"a": 2}, {"c": (1,), "a": 3}, {"d": 1}, {"a": 1, "d": 1}])
@pytest.mark.parametrize("instance", [Several(1), Several(1, "x", (2,)), Named(a=1), Derived(1), Several, "none"])
def test_a_changed_copy_is_the_standard_librarys(instance: Any, changes: dict[str, Any]) -> None:
    assert told(lambda: replace(instance, **changes)) == told(lambda: dataclasses.replace(instance, **changes))
