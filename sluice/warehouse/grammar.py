"""Whether a text is a statement by Trino's own grammar, and where it first is not.

The grammar is data (`grammar.json.gz`, made from Trino's by `tools/grammar/build.py`): ANTLR's automata of its lexer
and parser. Here is the loop that walks them; nothing here knows what a statement means. Athena runs Trino, so a text
that does not pass here fails in AWS, while sqlglot reads much more.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from antlr4 import CommonTokenStream, InputStream, Lexer, Parser, Token
from antlr4.atn.ATN import ATN
from antlr4.atn.ATNDeserializer import ATNDeserializer
from antlr4.atn.ATNState import ATNState, LoopEndState, StarLoopEntryState
from antlr4.atn.LexerATNSimulator import LexerATNSimulator
from antlr4.atn.ParserATNSimulator import ParserATNSimulator
from antlr4.atn.PredictionMode import PredictionMode
from antlr4.atn.Transition import Transition
from antlr4.dfa.DFA import DFA
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import FailedPredicateException, InputMismatchException, RecognitionException
from antlr4.ParserRuleContext import ParserRuleContext
from antlr4.PredictionContext import PredictionContextCache

FILE = "grammar.json.gz"
_STATEMENT = "singleStatement"
_HIGHEST_CHARACTER = 0x10FFFF
# Trino's lexer takes these to refuse them with a message of their own.
_REFUSED_TOKENS = ("BACKQUOTED_IDENTIFIER", "DIGIT_IDENTIFIER", "UNRECOGNIZED")


@dataclass(frozen=True)
class SyntaxMistake:
    """The first word that Trino's grammar does not take: `line` and `column` count from 1.

    `words` are the words of the text up to and including that one, in capitals; `expected` what might stand there.
    """

    line: int
    column: int
    word: str
    words: tuple[str, ...]
    expected: frozenset[str]


@lru_cache(maxsize=256)
def first_mistake(text: str) -> SyntaxMistake | None:
    """Find the first place where `text` is not one statement of Trino's grammar; None where it is one."""
    grammar = load()
    lexer = _Lexer(text, grammar)
    lexer.removeErrorListeners()
    tokens = CommonTokenStream(lexer)
    tokens.fill()
    refused = {grammar.tokens.index(name) for name in _REFUSED_TOKENS}
    for token in tokens.tokens:
        if token.type in refused:
            return _mistake(tokens, token, frozenset())
    for mode in (PredictionMode.SLL, PredictionMode.LL):  # the first is faster and may fail where the second does not
        tokens.seek(0)
        walker = _Walker(tokens, grammar, mode)
        try:
            walker.walk(grammar.rules.index(_STATEMENT))
        except RecognitionException as error:
            found = _mistake(tokens, error.offendingToken, walker.expected())
        else:
            return None
    return found


@cache
def reserved_words() -> frozenset[str]:
    """Return the words that are no names without double quotes, in capitals."""
    return load().reserved


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """Two automata and the names of their parts, with what the simulators learn while they work."""

    lexer: ATN
    parser: ATN
    literals: Sequence[str]
    tokens: Sequence[str]
    rules: Sequence[str]
    reserved: frozenset[str]
    lexer_states: Sequence[DFA]
    parser_states: Sequence[DFA]
    contexts: PredictionContextCache


@cache
def load() -> Grammar:
    """Read the grammar that travels with the package: a third of a second, once a process."""
    data = json.loads(gzip.decompress((files("sluice.warehouse") / FILE).read_bytes()))
    lexer, parser = (ATNDeserializer().deserialize(data[part]) for part in ("lexer", "parser"))
    return Grammar(
        lexer=lexer,
        parser=parser,
        literals=data["literals"],
        tokens=data["tokens"],
        rules=data["rules"],
        reserved=frozenset(data["reserved"]),
        lexer_states=[DFA(state, place) for place, state in enumerate(lexer.decisionToState)],
        parser_states=[DFA(state, place) for place, state in enumerate(parser.decisionToState)],
        contexts=PredictionContextCache(),
    )


def _mistake(tokens: CommonTokenStream, at: Any, expected: frozenset[str]) -> SyntaxMistake:
    words = [token.text.upper() for token in tokens.tokens[: at.tokenIndex] if token.channel == Token.DEFAULT_CHANNEL]
    word = "" if at.type == Token.EOF else str(at.text)
    return SyntaxMistake(at.line, at.column + 1, word, (*words, word.upper()), expected)


class _Lexer(Lexer):  # type: ignore[misc]  # antlr4 has no types
    """Words by the lexer's automaton; ANTLR's Python runtime has no such class of its own."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        super().__init__(InputStream(text))
        self._interp = LexerATNSimulator(self, grammar.lexer, grammar.lexer_states, grammar.contexts)


class _Context(ParserRuleContext):  # type: ignore[misc]
    def __init__(self, parent: _Context | None, state: int, rule: int) -> None:
        super().__init__(parent, state)
        self.rule = rule

    def getRuleIndex(self) -> int:  # noqa: N802  (ANTLR's name)
        return self.rule


class _Walker(Parser):  # type: ignore[misc]
    """Walks the parser's automaton and builds no tree. `ParserInterpreter` of the Python runtime fails at this."""

    def __init__(self, tokens: CommonTokenStream, grammar: Grammar, mode: Any) -> None:
        super().__init__(tokens)
        self.atn, self.buildParseTrees = grammar.parser, False
        self.literalNames, self.symbolicNames, self.ruleNames = grammar.literals, grammar.tokens, grammar.rules
        self._grammar = grammar
        self._ctx: Any = None
        self._interp = ParserATNSimulator(self, grammar.parser, grammar.parser_states, grammar.contexts)
        self._interp.predictionMode = mode
        self._callers: list[tuple[Any, int]] = []  # of left-recursive rules
        self.removeErrorListeners()
        self.addErrorListener(ErrorListener())

    def walk(self, rule: int) -> None:
        """Walk from the start of a rule to its end. Raises RecognitionException at the first word that has no way."""
        root = _Context(None, -1, rule)
        self.enterRule(root, self.atn.ruleToStartState[rule].stateNumber, rule)
        while True:
            state = self.atn.states[self.state]
            if state.stateType != ATNState.RULE_STOP:
                self._step(state)
            elif self._ctx is root:
                return
            else:
                self._leave(state)

    def expected(self) -> frozenset[str]:
        """Name what might have stood where the walk ended: words in capitals, kinds of tokens otherwise."""
        try:
            allowed = self.getExpectedTokens()
        except (IndexError, AttributeError):  # no state to ask
            return frozenset()
        names = (self._grammar.literals, self._grammar.tokens)
        return frozenset(
            (names[0][kind].strip("'") if kind < len(names[0]) and names[0][kind] != "null" else names[1][kind])
            for span in allowed.intervals or ()
            for kind in span
            if 0 < kind < len(names[1])
        )

    def _step(self, state: Any) -> None:
        edge = 1
        if len(state.transitions) > 1:
            edge = self._interp.adaptivePredict(self._input, state.decision, self._ctx)
        way = state.transitions[edge - 1]
        match way.serializationType:
            case Transition.EPSILON:
                self._go_round(state, way)
            case Transition.RULE:
                self._enter(state, way)
            case Transition.PRECEDENCE:
                if not self.precpred(self._ctx, way.precedence):
                    raise FailedPredicateException(self, "precedence")
            case Transition.ATOM | Transition.RANGE | Transition.SET | Transition.NOT_SET | Transition.WILDCARD:
                if not way.matches(self._input.LA(1), Token.MIN_USER_TOKEN_TYPE, _HIGHEST_CHARACTER):
                    raise InputMismatchException(self)
                if self._input.LA(1) != Token.EOF:
                    self._input.consume()
        self.state = way.target.stateNumber

    def _go_round(self, state: Any, way: Any) -> None:
        loops = isinstance(state, StarLoopEntryState) and state.isPrecedenceDecision
        if loops and not isinstance(way.target, LoopEndState):
            caller, calling = self._callers[-1]
            start = self.atn.ruleToStartState[state.ruleIndex].stateNumber
            self.pushNewRecursionContext(_Context(caller, calling, self._ctx.rule), start, self._ctx.rule)

    def _enter(self, state: Any, way: Any) -> None:
        rule = way.target.ruleIndex
        inner = _Context(self._ctx, state.stateNumber, rule)
        if way.target.isPrecedenceRule:
            self._callers.append((self._ctx, state.stateNumber))
            self.enterRecursionRule(inner, way.target.stateNumber, rule, way.precedence)
        else:
            self.enterRule(inner, way.target.stateNumber, rule)

    def _leave(self, state: Any) -> None:
        if self.atn.ruleToStartState[state.ruleIndex].isPrecedenceRule:
            caller, calling = self._callers.pop()
            self.unrollRecursionContexts(caller)
        else:
            caller, calling = self._ctx.parentCtx, self._ctx.invokingState
        self._ctx = caller
        self.state = self.atn.states[calling].transitions[0].followState.stateNumber
