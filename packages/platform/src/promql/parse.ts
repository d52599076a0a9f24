import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';
import { parseDuration, parseNumber } from './durations.ts';
import type {
  AggregateOperator,
  BinaryOperator,
  Expression,
  LabelMatcher,
  MatchOperator,
  Matching,
  Shift,
} from './expression.ts';
import { patternTest } from './label-match.ts';
import { PromqlError } from './promql-error.ts';
import { readString } from './strings.ts';

/** Levels of nesting: each costs a call of ours. */
const MAX_DEPTH = 100;
const MAX_LENGTH = 16_384;
const AGGREGATES = new Set([
  'sum',
  'avg',
  'min',
  'max',
  'count',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'quantile',
  'count_values',
]);
const WITH_PARAMETER = new Set(['topk', 'bottomk', 'quantile', 'count_values']);

/** The tree of a query. @throws PromqlError `bad_data`, saying where */
export function parsePromql(text: string): Expression {
  if (text.length > MAX_LENGTH) throw new PromqlError('bad_data', `a query has at most ${MAX_LENGTH} characters`);
  const tree = parser.parse(text);
  tree.iterate({
    enter: (node) => {
      if (!node.type.isError) return;
      const line = text.slice(0, node.from).split('\n');
      const found = text.slice(node.from, node.from + 20).trim();
      const what = found === '' ? 'unexpected end of input' : `unexpected "${found}"`;
      throw new PromqlError('bad_data', `${line.length}:${line.at(-1)!.length + 1}: parse error: ${what}`);
    },
  });
  const root = tree.topNode.firstChild;
  if (root === null) throw new PromqlError('bad_data', '1:1: parse error: no expression found in input');
  return new Reader(text).expression(root, 0);
}

class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  expression(node: SyntaxNode, depth: number): Expression {
    if (depth > MAX_DEPTH) throw new PromqlError('bad_data', `expressions are nested deeper than ${MAX_DEPTH} levels`);
    switch (node.name) {
      case 'NumberDurationLiteral':
        return { kind: 'number', value: parseNumber(this.#of(node)) };
      case 'StringLiteral':
        return { kind: 'string', value: readString(this.#of(node)) };
      case 'ParenExpr':
        return this.expression(node.firstChild!, depth + 1);
      case 'UnaryExpr': {
        const inner = this.expression(node.lastChild!, depth + 1);
        return this.#of(node.firstChild!) === '-' ? { kind: 'negate', expression: inner } : inner;
      }
      case 'VectorSelector':
        return { kind: 'vector', matchers: this.#matchers(node), offsetMs: 0 };
      case 'MatrixSelector':
        return this.#matrix(node);
      case 'SubqueryExpr':
        return this.#subquery(node, depth);
      case 'OffsetExpr':
        return this.#shifted(node, { offsetMs: this.#offset(node) }, depth);
      case 'StepInvariantExpr':
        return this.#shifted(node, { at: this.#at(node) }, depth);
      case 'FunctionCall':
        return this.#call(node, depth);
      case 'AggregateExpr':
        return this.#aggregate(node, depth);
      case 'BinaryExpr':
        return this.#binary(node, depth);
      default:
        throw new PromqlError('bad_data', `${node.name} is not supported: "${this.#of(node).slice(0, 60)}"`);
    }
  }

  #of(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }

  #matchers(node: SyntaxNode): LabelMatcher[] {
    const matchers: LabelMatcher[] = [];
    const name = node.getChild('Identifier');
    if (name !== null) matchers.push({ label: '__name__', operator: '=', value: this.#of(name) });
    const list = node.getChild('LabelMatchers');
    for (let child = list?.firstChild ?? null; child !== null; child = child.nextSibling) {
      if (child.name === 'QuotedLabelName') {
        matchers.push({ label: '__name__', operator: '=', value: readString(this.#of(child)) });
        continue;
      }
      const [label, operator, value] = [child.firstChild!, child.getChild('MatchOp')!, child.lastChild!];
      const matcher = {
        label: child.name === 'QuotedLabelMatcher' ? readString(this.#of(label)) : this.#of(label),
        operator: this.#of(operator) as MatchOperator,
        value: readString(this.#of(value)),
      };
      // A pattern that is none is told before anything runs.
      if (matcher.operator.endsWith('~')) patternTest(matcher.value);
      matchers.push(matcher);
    }
    if (!matchers.some((matcher) => !acceptsEmpty(matcher)))
      throw new PromqlError('bad_data', 'vector selector must contain at least one non-empty matcher');
    return matchers;
  }

  #matrix(node: SyntaxNode): Expression {
    const rangeMs = this.#duration(node.getChild('DurationExpr')!);
    return { kind: 'matrix', vector: { kind: 'vector', matchers: this.#matchers(node.firstChild!), offsetMs: 0 }, rangeMs };
  }

  #subquery(node: SyntaxNode, depth: number): Expression {
    const [range, step] = node.getChildren('DurationExpr');
    const expression = this.expression(node.firstChild!, depth + 1);
    const subquery = { kind: 'subquery', expression, rangeMs: this.#duration(range!), offsetMs: 0 } as const;
    return step === undefined ? subquery : { ...subquery, stepMs: this.#duration(step) };
  }

  #duration(node: SyntaxNode): number {
    const ms = parseDuration(this.#of(node));
    if (ms <= 0) throw new PromqlError('bad_data', 'duration must be greater than 0');
    return ms;
  }

  #offset(node: SyntaxNode): number {
    const duration = node.lastChild!;
    const text = this.#text.slice(node.getChild('Offset')!.to, duration.to).replaceAll(/[\s()]/g, '');
    return text.startsWith('-') ? -parseDuration(text.slice(1)) : parseDuration(text.replace('+', ''));
  }

  #at(node: SyntaxNode): number | 'start' | 'end' {
    const text = this.#text.slice(node.getChild('At')!.to, node.to).trim();
    if (text.startsWith('start')) return 'start';
    if (text.startsWith('end')) return 'end';
    return Math.round(parseNumber(text) * 1000);
  }

  #shifted(node: SyntaxNode, shift: Partial<Shift>, depth: number): Expression {
    const inner = this.expression(node.firstChild!, depth + 1);
    if (inner.kind === 'vector' || inner.kind === 'subquery') return { ...inner, ...shift };
    if (inner.kind === 'matrix') return { ...inner, vector: { ...inner.vector, ...shift } };
    throw new PromqlError('bad_data', 'offset and @ go with a selector or a subquery');
  }

  #call(node: SyntaxNode, depth: number): Expression {
    const name = this.#of(node.getChild('FunctionIdentifier')!);
    return { kind: 'call', name, arguments: this.#arguments(node.getChild('FunctionCallBody')!, depth) };
  }

  #arguments(body: SyntaxNode, depth: number): Expression[] {
    const found: Expression[] = [];
    for (let child = body.firstChild; child !== null; child = child.nextSibling) found.push(this.expression(child, depth + 1));
    return found;
  }

  #aggregate(node: SyntaxNode, depth: number): Expression {
    const operator = this.#of(node.getChild('AggregateOp')!).toLowerCase();
    if (!AGGREGATES.has(operator)) throw new PromqlError('bad_data', `the aggregation ${operator} is not supported`);
    const given = this.#arguments(node.getChild('FunctionCallBody')!, depth);
    const wanted = WITH_PARAMETER.has(operator) ? 2 : 1;
    if (given.length !== wanted)
      throw new PromqlError(
        'bad_data',
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${given.length}`,
      );
    const modifier = node.getChild('AggregateModifier');
    const expression = given[wanted - 1]!;
    return {
      kind: 'aggregate',
      operator: operator as AggregateOperator,
      expression,
      ...(wanted === 2 && { parameter: given[0]! }),
      without: modifier?.getChild('Without') != null,
      labels: modifier === null ? [] : this.#labels(modifier.getChild('GroupingLabels')),
    };
  }

  #labels(node: SyntaxNode | null): string[] {
    const names: string[] = [];
    for (let child = node?.firstChild ?? null; child !== null; child = child.nextSibling) {
      const text = this.#of(child);
      names.push(text.startsWith('"') || text.startsWith("'") ? readString(text) : text);
    }
    return names;
  }

  #binary(node: SyntaxNode, depth: number): Expression {
    const [first, last] = [node.firstChild!, node.lastChild!];
    const operator = this.#of(first.nextSibling!).toLowerCase() as BinaryOperator;
    const matching = this.#matching(node.getChild('MatchingModifierClause'));
    const left = this.expression(first, depth + 1);
    // The grammar takes a sign into the number, but powers bind tighter: -1 ^ 2 is -1.
    const isSigned = operator === '^' && first.name === 'NumberDurationLiteral' && /^[+-]/.test(this.#of(first));
    if (isSigned && left.kind === 'number') {
      const power = {
        kind: 'binary',
        operator,
        left: { kind: 'number', value: Math.abs(left.value) },
        right: this.expression(last, depth + 1),
        bool: false,
      } as const;
      return this.#of(first).startsWith('-') ? { kind: 'negate', expression: power } : power;
    }
    return {
      kind: 'binary',
      operator,
      left,
      right: this.expression(last, depth + 1),
      bool: node.getChild('BoolModifier') !== null,
      ...(matching !== undefined && { matching }),
    };
  }

  #matching(node: SyntaxNode | null): Matching | undefined {
    if (node === null) return undefined;
    const lists = node.getChildren('GroupingLabels');
    const many = node.getChild('GroupLeft') !== null ? 'left' : node.getChild('GroupRight') !== null ? 'right' : undefined;
    return {
      on: node.getChild('On') !== null,
      labels: this.#labels(lists[0] ?? null),
      include: this.#labels(lists[1] ?? null),
      ...(many !== undefined && { many }),
    };
  }
}

function acceptsEmpty({ operator, value }: LabelMatcher): boolean {
  if (operator === '=') return value === '';
  if (operator === '!=') return value !== '';
  return patternTest(value)('') === (operator === '=~');
}
