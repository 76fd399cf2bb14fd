# SPDX-License-Identifier: Apache-2.0
"""The surface: what the package exports, documents and types, all of it the same."""

import ast
import inspect
import pathlib
import re
import sys
import typing

import cctx
import cctx.testing
import pytest

PACKAGE = pathlib.Path(cctx.__file__).parent
STUB = ast.parse((PACKAGE / "__init__.pyi").read_text())
FUNCTIONS = {}  # of the stub, and its classes' methods as Class.method: all overloads
CLASSES = {}
for node in STUB.body:
    if isinstance(node, ast.FunctionDef):
        FUNCTIONS.setdefault(node.name, []).append(node)
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
        CLASSES[node.name] = node
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                FUNCTIONS.setdefault(f"{node.name}.{method.name}", []).append(method)
PROPERTIES = ["Context.values", "Context.metadata_map", "Policy.counts"]
NAMED = [name for name in FUNCTIONS if "__" not in name and name not in PROPERTIES]
PLAIN = [name for name in NAMED if len(FUNCTIONS[name]) == 1]
OVERLOADED = [name for name in NAMED if len(FUNCTIONS[name]) > 1]


def find(name):
    found = cctx
    for part in name.split("."):
        found = getattr(found, part)
    return found


def stub_parameters(node):
    """(name, positional only, has a default) of each parameter, stars with their name."""
    args = node.args
    plain = args.posonlyargs + args.args
    without = len(plain) - len(args.defaults)
    found = [(a.arg, i < len(args.posonlyargs), i >= without) for i, a in enumerate(plain)]
    found += [("*" + args.vararg.arg, False, False)] if args.vararg else []
    only = zip(args.kwonlyargs, args.kw_defaults)
    found += [(a.arg, False, default is not None) for a, default in only]
    found += [("**" + args.kwarg.arg, False, False)] if args.kwarg else []
    return [one for one in found if one[0] not in ("self", "cls")]


def runtime_parameters(function):
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        (
            stars.get(p.kind, "") + p.name,
            p.kind is p.POSITIONAL_ONLY,
            p.default is not p.empty,
        )
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]


def test_all_is_what_is_public():
    public = {name for name in vars(cctx) if not name.startswith("_")}
    public -= {"testing", "contrib"}  # submodules, once imported
    assert sorted(cctx.__all__) == cctx.__all__
    assert set(cctx.__all__) == public


def test_star_import_gives_all():
    found = {}
    exec("from cctx import *", found)
    assert set(cctx.__all__) == set(found) - {"__builtins__"}


def test_stub_names_what_the_package_has():
    stubbed = {name for name in FUNCTIONS if "." not in name} | set(CLASSES)
    assert stubbed == set(cctx.__all__)


def test_stub_has_every_method_and_no_other():
    tuples = {"Cause", "Recovered", "SessionInfo"}
    for name in CLASSES.keys() - tuples - {"Canceled", "DeadlineExceeded"}:
        own = {n for n in vars(find(name)) if not n.startswith("_")}
        stubbed = {n.split(".")[1] for n in FUNCTIONS if n.startswith(name + ".")}
        assert {n for n in stubbed if not n.startswith("__")} == own
        for method in stubbed:
            assert hasattr(find(name), method)


@pytest.mark.parametrize("name", PLAIN)
def test_stub_has_the_parameters_of_the_runtime(name):
    assert runtime_parameters(find(name)) == stub_parameters(FUNCTIONS[name][0])


@pytest.mark.parametrize("name", OVERLOADED)
def test_stub_overloads_use_the_parameters_of_the_runtime(name):
    known = {name for name, _, _ in runtime_parameters(find(name))}
    used = [{name for name, _, _ in stub_parameters(node)} for node in FUNCTIONS[name]]
    assert set.union(*used) == known


@pytest.mark.skipif(sys.version_info < (3, 10), reason="3.9 drops a type's signature")
@pytest.mark.parametrize("name", ["use", "request"])
def test_stub_of_a_scope_has_its_parameters(name):
    (new,) = FUNCTIONS[f"{name}.__new__"]
    assert stub_parameters(new) == runtime_parameters(find(name))
    assert cctx.use(context=cctx.background())


def test_stub_has_the_fields_of_a_cause(root):
    fields = [n.target.id for n in CLASSES["Cause"].body if isinstance(n, ast.AnnAssign)]
    cause = root.with_timeout(-1).cause()
    assert re.findall(r"(\w+)=", repr(cause)) == fields
    assert [getattr(cause, field) for field in fields] == list(cause)


def test_cause_is_the_kind_of_tuple_that_the_stub_says(root):
    bases = [base.id for base in CLASSES["Cause"].bases if isinstance(base, ast.Name)]
    if "NamedTuple" not in bases:
        pytest.skip("the stub does not say NamedTuple")
    cause = root.with_timeout(-1).cause()
    assert cause._asdict()["status"] == "deadline_exceeded"
    assert cause._replace(line=0).line == 0


def test_stub_has_the_bases_of_the_exceptions():
    for name in ("Canceled", "DeadlineExceeded"):
        bases = [base.id for base in CLASSES[name].bases]
        assert bases == [base.__name__ for base in find(name).__bases__]


def test_what_the_stub_calls_final_is_final():
    for name, node in CLASSES.items():
        if "final" in [getattr(d, "id", "") for d in node.decorator_list]:
            with pytest.raises(TypeError):
                type("Sub", (find(name),), {})


@pytest.mark.parametrize("name", NAMED)
def test_function_has_a_docstring_and_a_signature(name):
    function = find(name)
    assert re.match(r"[A-Z].*\.", inspect.getdoc(function), re.DOTALL)
    inspect.signature(function)


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_a_docstring_and_says_where_it_lives(name):
    assert re.match(r"[A-Z].*\.", inspect.getdoc(find(name)), re.DOTALL)
    assert find(name).__module__ == "cctx"
    assert find(name).__qualname__ == name


@pytest.mark.parametrize("name", PROPERTIES)
def test_property_has_a_docstring(name):
    assert re.match(r"[A-Z].*\.", inspect.getdoc(find(name)), re.DOTALL)


@pytest.mark.parametrize("name", [n for n in NAMED if n.startswith("Context.")])
def test_signature_of_a_method_has_self_where_it_is_not_bound(name, root):
    """So that tools which bind a signature count the arguments right."""
    free = list(inspect.signature(find(name)).parameters)
    bound = list(inspect.signature(getattr(root, name.split(".")[1])).parameters)
    assert free == ["self", *bound]


def test_text_of_the_package_is_a_sentence():
    for module in (cctx, cctx.testing, cctx._cctx):
        assert module.__doc__.strip().split("\n")[0].endswith(".")
    assert cctx.testing.__all__ == ["clock_set", "strict"]
    for name in cctx.testing.__all__:
        assert inspect.getdoc(getattr(cctx.testing, name))


def test_testing_is_typed():
    """py.typed speaks for every module that has no stub."""
    if not (PACKAGE / "testing.pyi").exists():
        assert set(typing.get_type_hints(cctx.testing.clock_set)) == {"now", "return"}
        assert set(typing.get_type_hints(cctx.testing.strict.take)) == {"return"}


def test_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_version_is_the_one_of_the_header():
    assert re.fullmatch(r"\d+\.\d+\.\d+", cctx.__version__)
