"""Module: a tree of parts that own parameters and buffers.

PyTorch's: what is assigned as an attribute (a Parameter, a Module) is registered by that, and found again by
`parameters()`, `state_dict()`, `to()` and the rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from .. import dtypes
from ..backend import Device, namespaces, to_device
from ..errors import ArgumentError, ModuleError
from ..ops.convert import destination, named_type
from ..tensor import Tensor, wrap
from .hooks import Hooked, Hooks
from .parameter import Buffer, Parameter, is_lazy
from .state import load_state, state_of
from .state_difference import IncompatibleKeys

KINDS = ("_parameters", "_buffers", "_modules")


class Module(Hooked):
    """The base of all networks. A subclass makes its parts in `__init__` and uses them in `forward`.

    >>> class Net(ta.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden, self.out = ta.nn.Linear(2, 3), ta.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.out(ta.tanh(self.hidden(x)))
    >>> Net()
    Net(
      (hidden): Linear(in_features=2, out_features=3, bias=True)
      (out): Linear(in_features=3, out_features=1, bias=True)
    )
    >>> [name for name, _ in Net().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _not_saved: set[str]

    def __init__(self) -> None:
        self.__dict__.update(
            training=True, _parameters={}, _buffers={}, _modules={}, _not_saved=set(), _pre_hooks=Hooks(),
            _hooks=Hooks(), _backward_hooks=Hooks(), _backward_pre_hooks=Hooks(), _state_hooks=Hooks(),
            _load_hooks=Hooks(), _load_pre_hooks=Hooks())

    # ---------------------------------------------------------------------------------------- attributes
    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (Parameter, Module, Buffer)):
            kind = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else "_buffers"
            self._need_init(name)
            own.pop(name, None)
            for other in KINDS:
                if other != kind:
                    own[other].pop(name, None)
            own[kind][name] = value
            if isinstance(value, Buffer):
                (own["_not_saved"].discard if value.persistent else own["_not_saved"].add)(name)
            return
        for kind, wanted in (("_parameters", "a Parameter"), ("_modules", "a Module"), ("_buffers", "a Tensor")):
            if name in own.get(kind, ()):
                if value is not None and not (kind == "_buffers" and isinstance(value, Tensor)):
                    raise ArgumentError(f"{type(self).__name__}.{name}", f"a {type(value).__name__}",
                                        f"it is registered as {wanted[2:].lower()}",
                                        f"assign {wanted} or None, or `del` it first")
                own[kind][name] = value
                return
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:                     # only for what is not in __dict__
        own = self.__dict__
        for kind in KINDS:
            if name in own.get(kind, ()):
                return own[kind][name]
        if name in KINDS or name in ("training", "_hooks", "_pre_hooks"):
            self._need_init(name)
        raise ModuleError(type(self).__name__, "", f"it has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in KINDS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                self._not_saved.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(n for kind in KINDS for n in self.__dict__.get(kind, ()))})

    def _need_init(self, name: str) -> None:
        if "_parameters" not in self.__dict__:
            raise ModuleError(type(self).__name__, f"the attribute {name!r}", "Module.__init__ has not run",
                              "call super().__init__() first in its __init__")

    def _enter(self, kind: str, name: str, value: Any, wanted: type) -> None:
        self._need_init(name)
        where = f"{type(self).__name__}.register_{kind[1:-1]}"
        if not isinstance(name, str):
            raise ArgumentError(where, f"a name of type {type(name).__name__}", "a name is a text")
        if "." in name or not name:
            raise ArgumentError(where, repr(name), 'a name is not empty and has no "." (dots separate levels)')
        if hasattr(self, name) and name not in self.__dict__[kind]:
            raise ArgumentError(where, repr(name), "that attribute already exists", "choose another name")
        if value is not None and not isinstance(value, wanted):
            raise ArgumentError(where, f"{name!r}, a {type(value).__name__}", f"a {wanted.__name__} or None is needed")
        self.__dict__[kind][name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Own a parameter under `name`; None reserves the name."""
        if isinstance(param, Tensor) and param.node is not None:
            raise ArgumentError("register_parameter", repr(name), "it is the result of an op, not a leaf",
                                "wrap its data: Parameter(x.detach())")
        self._enter("_parameters", name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Own a tensor that is moved and (if persistent) saved with the module, but not learned."""
        self._enter("_buffers", name, tensor, Tensor)
        (self._not_saved.discard if persistent else self._not_saved.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Own a part under `name`."""
        self._enter("_modules", name, module, Module)

    def add_module(self, name: str, module: Module | None) -> None:
        """The same as register_module."""
        self.register_module(name, module)

    # ---------------------------------------------------------------------------------------- the call
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define it")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            hooked = self._pre_hooks or self._hooks or self._backward_hooks or self._backward_pre_hooks
        except AttributeError:
            self._need_init("forward")
            raise
        return self._call_hooked(args, kwargs) if hooked else self.forward(*args, **kwargs)

    # ---------------------------------------------------------------------------------------- the tree
    def named_modules(self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, Module]]:
        """This module (under the empty name) and all below it, parents first; each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The parts one level down, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside it, each once."""
        for _, module in self.named_children():
            yield module

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        levels = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in levels:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                         ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter) of this module and, with `recurse`, all below it; a shared one once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, or with `recurse=False` its own; each once: what an optimizer takes."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
                      ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer) pairs, each buffer once."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, or with `recurse=False` its own; each once."""
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; the empty path is this one."""
        module: Any = self
        for name in target.split(".") if target else ():
            part = module._modules.get(name)
            if part is None:
                known = ", ".join(module._modules) or "none"
                raise ModuleError(f"{type(self).__name__}.get_submodule", repr(target),
                                  f"{type(module).__name__} has no part {name!r} (it has: {known})")
            module = part
        result: Module = module
        return result

    def _get(self, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if name not in owner.__dict__[kind]:
            raise ModuleError(f"{type(self).__name__}.get_{kind[1:-1]}", repr(target),
                              f"{type(owner).__name__} has no {kind[1:-1]} {name!r}")
        return owner.__dict__[kind][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        result: Parameter = self._get("_parameters", target)
        return result

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        result: Tensor = self._get("_buffers", target)
        return result

    # ---------------------------------------------------------------------------------------- all parts at once
    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every part, and last on this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Training mode (Dropout drops) or, with False, evaluation mode, for all parts."""
        if not isinstance(mode, bool):
            raise ArgumentError("train", repr(mode), "mode is True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: the same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or free all parameters."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero."""
        clear_grads(self.parameters(), set_to_none)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device, or change the floating dtype, or both, in place: `to("cuda")`, `to(ta.float64)`, `to(x)`.

        Parameters stay the same objects, so an optimizer made before goes on working. Integer and bool buffers
        keep their dtype. `memory_format` changes nothing (see formats.py).
        """
        if unknown := kwargs.keys() - {"device", "dtype", "non_blocking", "copy", "memory_format"}:
            raise ArgumentError("Module.to", f"unknown argument {min(unknown)!r}", "it takes device and dtype")
        device, dtype = destination(args, kwargs.get("device"), kwargs.get("dtype"), "Module.to")
        if dtype is not None and not dtypes.is_floating(dtype):
            raise ArgumentError("Module.to", str(dtype), "a module's parameters can only be of a floating type")

        def move(array: Any) -> Any:
            if dtype is not None and dtypes.is_floating(array.dtype) and array.dtype != dtype:
                array = namespaces[type(array)].cast(array, dtype)
            return array if device is None else to_device(array, device)
        return self._apply(move)

    def _apply(self, function: Callable[[Any], Any]) -> Self:
        """Replace every array of this module and those below by `function` of it."""
        tensors = {id(t): t for m in self.modules() for kind in ("_parameters", "_buffers")
                   for t in m.__dict__[kind].values() if t is not None}
        for t in tensors.values():
            if is_lazy(t):
                t.convert(function)
                continue
            t.array = function(t.array)
            if t.grad is not None:
                t.grad = wrap(function(t.grad.array))
        return self

    def cpu(self) -> Self:
        """Move all parameters and buffers to the computer's own memory."""
        return self.to("cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        """Move all parameters and buffers to a GPU."""
        return self.to(Device("cuda" if device is None else device))

    def float(self) -> Self:
        """Convert all floating parameters and buffers to float32."""
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """Convert all floating parameters and buffers to float64."""
        return self.to(dtypes.float64)

    def half(self) -> Self:
        """Convert all floating parameters and buffers to float16."""
        return self.to(dtypes.float16)

    def bfloat16(self) -> Self:
        """Convert all floating parameters and buffers to bfloat16."""
        return self.to(dtypes.bfloat16())

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers to a dtype, integer ones too: what `to` leaves as they are."""
        wanted = named_type(dst_type)
        if any(p.requires_grad for p in self.parameters()) and not dtypes.is_floating(wanted):
            raise ArgumentError("Module.type", str(wanted), "parameters that learn can only be of a floating type")
        return self._apply(lambda array: array if array.dtype == wanted else namespaces[array.__class__].cast(array, wanted))

    def share_memory(self) -> Self:
        """The module itself. It changes nothing: the workers of loaders are threads here, which share all memory."""
        return self

    # ---------------------------------------------------------------------------------------- saving
    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
                   ) -> OrderedDict[str, Tensor]:
        """{dotted name: tensor} of all parameters and persistent buffers. The tensors share the module's memory."""
        return state_of(self, destination, prefix, keep_vars)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
                        ) -> IncompatibleKeys:
        """Copy the values of a state_dict in; with `assign`, take its tensors instead of copying.

        Raises:
            ShapeError: names are missing or unexpected (unless strict=False), or shapes differ. Nothing is changed.
        """
        return load_state(self, state_dict, strict, assign)

    # ---------------------------------------------------------------------------------------- printing
    def extra_repr(self) -> str:
        """What stands between the brackets of the repr; a subclass overrides it."""
        return ""

    def __repr__(self) -> str:
        parts = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not parts:
            return f"{type(self).__name__}({extra})" if "\n" not in extra else self._tall([_indented(extra)])
        return self._tall([_indented(extra), *parts] if extra else parts)

    def _tall(self, lines: list[str]) -> str:
        return f"{type(self).__name__}(\n" + "\n".join("  " + line for line in lines) + "\n)"


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def clear_grads(parameters: Any, set_to_none: bool) -> None:
    """Forget the gradients of `parameters`, or set them to zero."""
    for p in parameters:
        if set_to_none:
            p.grad = None
        elif p.grad is not None:
            p.grad = wrap(namespaces[type(p.array)].zeros_like(p.grad.array))


def weight_and_bias(module: Module) -> tuple[Any, Any]:
    """Both of a layer, for its forward, without the search in vain that reading a parameter as an attribute begins with."""
    held = module._parameters
    try:
        return held["weight"], held["bias"]
    except KeyError:                     # somebody has put a tensor, or a property, in a parameter's place
        return module.weight, module.bias
