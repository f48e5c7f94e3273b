"""The records' LaTeX as a line of plain text: `\\tfrac{x}{2}\\,(1 + \\tanh u)` is x/2 (1 + tanh u)."""

from __future__ import annotations

import re

TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|[a-zA-Z]|\d+(?:\.\d+)?|\s+|.")
SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π",
    "sigma": "σ", "tau": "τ", "varphi": "φ", "phi": "φ", "Phi": "Φ", "sum": "Σ", "odot": "·", "partial": "∂", "infty": "∞",
    "le": "≤", "ge": "≥", "ne": "≠", "sim": "~", "in": "in", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|",
    "quad": " ", "left": "", "right": "", "textstyle": "", ",": " ", "!": "", " ": " ", ";": " ", "{": "{", "}": "}",
}
WORDS = {"max", "min", "exp", "log", "ln", "tanh", "sin", "cos", "arctan", "arg", "sinh", "cosh"}
RAISED = dict(zip("0123456789+-−=()ijknx", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁱʲᵏⁿˣ", strict=True))
LOWERED = dict(zip("0123456789+-−=()ijknxrlp", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ᵢⱼₖₙₓᵣₗₚ", strict=True))
FRACTIONS = {("1", "2"): "½", ("1", "4"): "¼", ("3", "4"): "¾", ("1", "3"): "⅓", ("1", "8"): "⅛"}
TIGHT = re.compile(r"√?[\w.′]+|\w\^\w+|√?\w*\([^()]*\)")                 # needs no parentheses around it


def readable(latex: str) -> str:
    """The formula as text.

    >>> readable(r"\\tfrac{x}{2}\\,(1 + \\tanh u),\\quad u = \\sqrt{2/\\pi}\\,(x + 0.044715\\,x^3)")
    'x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³)'
    >>> readable(r"x \\text{ if } x > 0 \\text{ else } \\alpha (e^x - 1)")
    'x if x > 0 else α (eˣ − 1)'
    """
    return re.sub(r"\s+", " ", Reader(latex).sequence("")).strip().replace("( ", "(").replace(" )", ")").replace(" ,", ",")


class Reader:
    """The tokens of a formula, read from left to right."""

    def __init__(self, latex: str) -> None:
        self.tokens: list[str] = TOKENS.findall(latex)
        self.at = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def sequence(self, end: str) -> str:
        """Up to the token `end`, which is taken."""
        out = ""
        while self.at < len(self.tokens) and (token := self.next()) != end:
            out += self.script(token) if token in "^_" and token else self.sign(token, out)
        return out

    def argument(self, spaced: bool = False) -> str:
        """What belongs to a command or a script: a group in braces, or one token (of a number, one digit)."""
        token = self.next()
        while token.isspace():
            token = self.next()
        if token == "{":
            text = self.sequence("}")
            return text if spaced else text.strip()
        if token.isdigit() and len(token) > 1:
            self.at -= 1
            self.tokens[self.at] = token[1:]
            return token[0]
        return self.sign(token, "")

    def script(self, token: str) -> str:
        """A power or an index: in small letters where there are such, else written out."""
        text, small = self.argument(), RAISED if token == "^" else LOWERED
        packed = text.replace(" ", "")
        if packed and all(c in small for c in packed):
            return "".join(small[c] for c in packed)
        return token + (text if TIGHT.fullmatch(text) and text.isalnum() else f"({text})")

    def sign(self, token: str, before: str) -> str:
        """The text of one token, with its arguments."""
        name = token.removeprefix("\\")
        if name == token:
            return {"-": "−", "'": "′", "{": self.sequence("}") if token == "{" else ""}.get(token, token)
        if name in ("frac", "tfrac", "dfrac"):
            above, below = self.argument().strip(), self.argument().strip()
            text = FRACTIONS.get((above, below)) or f"{tight(above)}/{tight(below)}"
            return f" {text}" if before[-1:].isalnum() else text
        if name == "sqrt":
            inner = self.argument()
            return (f"√{inner}" if len(inner) == 1 else f"√({inner})") + " "
        if name == "bar":
            return self.argument() + "\u0304"
        if name in ("text", "mathrm", "operatorname"):
            text = self.argument(spaced=True)
            return text if name == "text" else spaced(text, before)
        return spaced(name, before) + ("" if self.follows("([^_|") else " ") if name in WORDS else SIGNS.get(name, name)

    def follows(self, signs: str) -> bool:
        """Is one of these the next token?"""
        return self.at < len(self.tokens) and self.tokens[self.at] in signs


def spaced(word: str, before: str) -> str:
    """A word after what would run into it."""
    return f" {word}" if before[-1:].isalnum() else word


def tight(text: str) -> str:
    """In parentheses where it must be one thing."""
    return text if TIGHT.fullmatch(text) else f"({text})"
