"""Names that are safe in every language the design is written in. Names in a model file are untrusted text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 40
"""Characters of an identifier; instances and streams append the kernel's name and stay below 64."""

_CPP = """
alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch
char char16_t char32_t char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
constinit continue decltype default delete do double dynamic_cast else enum explicit export extern false final float
for friend goto if import inline int long main module mutable namespace new noexcept not not_eq nullptr operator or
or_eq override private protected public reflexpr register reinterpret_cast requires restrict return short signed
sizeof static static_assert static_cast std struct switch synchronized template this thread_local throw
transaction_safe true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor
xor_eq hls top vec sint uint ap_int ap_uint assert errno linux unix
"""

_VERILOG = """
accept_on alias always always_comb always_ff always_latch assert assign assume automatic before begin bind bins binsof
bit buf bufif0 bufif1 byte casex casez cell chandle checker clocking cmos config constraint context cover covergroup
coverpoint cross deassign defparam design disable dist edge endcase endchecker endclass endclocking endconfig
endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endspecify
endsequence endtable endtask event eventually expect extends first_match force foreach forever fork forkjoin function
generate genvar global highz0 highz1 iff ifnone ignore_bins illegal_bins implements implies incdir include initial
inout input inside instance integer interconnect interface intersect join join_any join_none large let liblist library
local localparam logic longint macromodule matches medium modport nand negedge nettype nexttime nmos nor
noshowcancelled notif0 notif1 null output package packed parameter pmos posedge primitive priority program property
pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
realtime ref reg reject_on release repeat rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until
s_until_with scalared sequence shortint shortreal showcancelled small soft solve specify specparam string strong
strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task throughout time
timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type unique unique0 unsized until
until_with untyped use uwire var vectored wait wait_order wand weak weak0 weak1 wildcard wire with within wone wor
xnor
"""

_VHDL = """
abs access after all architecture array attribute block body buffer bus component configuration constant disconnect
downto elsif end entity exit file generic group guarded impure in is label linkage literal loop map mod nand next of
on open others out port postponed procedure process protected pure range record rem report rol ror select severity
shared signal sla sll sra srl subtype then to transport unaffected units until variable when
"""

_TCL = """
after append apply array binary break catch cd chan clock close concat continue coroutine dict encoding eof error eval
exec exit expr fblocked fconfigure fcopy file fileevent flush foreach format gets glob global history if incr info
interp join lappend lassign lindex linsert list llength load lrange lrepeat lreplace lreverse lsearch lset lsort
namespace open package pid proc puts pwd read regexp regsub rename return scan seek set socket source split string
subst switch tell time trace unload unset update uplevel upvar variable vwait while yield env argv argc
"""

_PORTS = """
ap_clk ap_rst ap_rst_n ap_start ap_done ap_idle ap_ready ap_continue clk clock rst reset resetn aclk aresetn in out
s_axis m_axis s_axi_control data valid ready last keep strb tdata tvalid tready tlast tkeep tstrb input output network
"""

_FILES = "con prn aux nul " + " ".join(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))
"""File names that Windows keeps for devices: a layer's name is also a file's."""

RESERVED = frozenset(" ".join((_CPP, _VERILOG, _VHDL, _TCL, _PORTS, _FILES)).split())
"""Keywords of C++, SystemVerilog, VHDL and Tcl, port names, and what the generated files use themselves."""


def identifiers(texts: Sequence[str], fallbacks: Sequence[str]) -> list[str]:
    """One identifier per text: ``[a-z][a-z0-9_]*``, unique, never reserved, at most ``LONGEST`` characters.

    Leading path components (separated by "/") that all texts share are dropped. ``fallbacks`` name what has no usable
    character at all; they are identifiers themselves. The same texts in the same order give the same identifiers.
    """
    taken: set[str] = set()
    result = []
    for text, fallback in zip(_without_common_path(texts), fallbacks, strict=True):
        base = _sanitise(text) or fallback
        if base in RESERVED:
            base = f"{base}_layer"
        name, copy = base, 2
        while name in taken:
            suffix = f"_{copy}"
            name, copy = base[: LONGEST - len(suffix)].rstrip("_") + suffix, copy + 1
        taken.add(name)
        result.append(name)
    return result


def printable(text: str, longest: int = 72) -> str:
    """``text`` for comments and messages: ASCII letters, digits and ``_ . / : ; + -``, anything else replaced by ``_``.

    No comment of C++, Tcl or YAML can be closed or continued by it (no quote, ``*``, backslash, ``?`` or line break).
    """
    plain = unicodedata.normalize("NFKD", text[: 8 * longest]).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_./:;+-]", "_", plain)
    return safe if len(safe) <= longest else safe[: longest - 3] + "..."


def _sanitise(text: str) -> str:
    """``[a-z][a-z0-9_]*`` without double or outer underscores, at most ``LONGEST`` long; "" if nothing is left.

    A path component that the next one repeats is dropped: "layer1/layer1.0/conv/Conv" is "layer1_0_conv".
    """
    plain = unicodedata.normalize("NFKD", text[: 32 * LONGEST]).encode("ascii", "ignore").decode().lower()
    parts = [re.sub(r"[^a-z0-9]+", "_", part).strip("_") for part in plain.split("/")]
    kept = [part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not f"{after}_".startswith(f"{part}_")]
    words = "_".join(filter(None, kept))
    if words and words[0].isdigit():
        words = f"n{words}"
    return words[:LONGEST].rstrip("_")


def _without_common_path(texts: Sequence[str]) -> list[str]:
    paths = [text.split("/") for text in texts]
    shared = 0
    while len(paths) > 1 and all(len(p) > shared + 1 and p[shared] == paths[0][shared] for p in paths):
        shared += 1
    return ["/".join(path[shared:]) for path in paths]
