/** A test, as its source names it. */
export interface NamedTest {
  readonly name: string;
  /** What it stands in: the names of the `describe` calls around it, outermost first. */
  readonly within: readonly string[];
}

/**
 * The names of the tests in a source file: the first argument of `it(` and `test(`, and of what they return (`it.each(…)(`). Where
 * such a name takes in values (`%s`, `$name`), the strings of the table that stands in the call are names too.
 *
 * It reads tokens, not grammar: comments, strings, template and regular-expression literals are told apart, nothing else.
 */
export function testNames(source: string): NamedTest[] {
  const tokens = tokensOf(source);
  const names: NamedTest[] = [];
  const around: { readonly name: string; readonly end: number }[] = [];
  for (let i = 0; i < tokens.length; i++) {
    while (around.length > 0 && around.at(-1)!.end <= i) around.pop();
    if (!isWord(tokens[i], 'it', 'test', 'describe') || isPunctuation(tokens[i - 1], '.')) continue;
    const { name, at, table } = callAt(tokens, i);
    if (name === undefined) continue;
    if (isWord(tokens[i], 'describe')) {
      around.push({ name, end: closing(tokens, at) });
      continue;
    }
    const within = around.map((each) => each.name);
    names.push({ name, within });
    if (/%[sdifjo]|\$\w/.test(name)) names.push(...table.map((row) => ({ name: row, within })));
  }
  return names;
}

/** The call of `it`, or of what `it.each(…)` gives: its name, where its bracket opens, and the strings of the table. */
function callAt(tokens: readonly Token[], word: number): { name: string | undefined; at: number; table: readonly string[] } {
  let at = word + 1;
  while (isPunctuation(tokens[at], '.')) at += 2;
  let table: readonly string[] = [];
  if (isPunctuation(tokens[at], '(') && tokens[at + 1]?.kind !== 'string') {
    const end = closing(tokens, at);
    table = tokens.slice(at, end).flatMap(({ kind, text }) => (kind === 'string' ? [text] : []));
    at = end + 1;
  }
  const first = isPunctuation(tokens[at], '(') ? tokens[at + 1] : undefined;
  return { name: first?.kind === 'string' ? first.text : undefined, at, table };
}

interface Token {
  readonly kind: 'string' | 'word' | 'punctuation';
  readonly text: string;
}

/** A `/` behind one of these begins a regular expression. */
const BEFORE_REGEX = '(,=:[!&|?{};+<>\n';

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  while (at < source.length) {
    if (take(/\s+|\/\/[^\n]*|\/\*[^]*?\*\//y) !== undefined) continue;
    const literal = take(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`/y);
    if (literal !== undefined) {
      tokens.push({ kind: 'string', text: literal.slice(1, -1).replaceAll(/\\(['"`\\])/g, '$1') });
      continue;
    }
    const previous = tokens.at(-1);
    if (source[at] === '/' && (previous === undefined || BEFORE_REGEX.includes(previous.text))) {
      if (take(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/y) !== undefined) continue;
    }
    const word = take(/[\p{ID_Start}$_][\p{ID_Continue}$]*/uy);
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else tokens.push({ kind: 'punctuation', text: source[at++]! });
  }
  return tokens;
}

/** Where the bracket that opens at `at` is closed. */
function closing(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    if (isPunctuation(tokens[i], '(')) depth++;
    else if (isPunctuation(tokens[i], ')') && --depth === 0) return i;
  }
  return tokens.length;
}

function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === 'punctuation' && token.text === text;
}

function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text);
}
