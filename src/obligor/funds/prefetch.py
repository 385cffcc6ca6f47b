"""One instruction that numba has no name for: ask for a record of an array before it is needed."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["prefetch"]

_READ, _KEEP, _DATA = 0, 3, 1
pointer_to: Any = cgutils.get_item_pointer
declared: Any = cgutils.get_or_insert_function


def _prefetch(_context: Any, array: Any, index: Any) -> Any:
    """Start to load `array[index]`, a hint that changes no value; the index has to be within bounds."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        view = context.make_array(kind)(context, builder, args[0])
        where = context.cast(builder, args[1], signature.args[1], types.intp)
        address = pointer_to(context, builder, kind, view, [where])
        byte = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        load = declared(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        builder.call(load, [builder.bitcast(address, byte), flag(_READ), flag(_KEEP), flag(_DATA)])
        return context.get_dummy_value()

    return types.void(array, index), emit


prefetch: Any = intrinsic(_prefetch)
