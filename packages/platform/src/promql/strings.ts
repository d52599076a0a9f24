import { PromqlError } from './promql-error.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|$)/gs;

/** What stands between the quotes: Go's rules, as PromQL has them; nothing is escaped between backticks. @throws PromqlError `bad_data` */
export function readString(literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith('`')) return inner;
  return inner.replaceAll(ESCAPE, (whole, escape: string) => {
    if (/^[xuU0-7]./.test(escape)) {
      const code = /^[0-7]/.test(escape) ? Number.parseInt(escape, 8) : Number.parseInt(escape.slice(1), 16);
      if (code <= 0x10_ffff) return String.fromCodePoint(code);
    }
    const known = ESCAPES[escape];
    if (known === undefined) throw new PromqlError('bad_data', `parse error: unknown escape sequence "${whole}"`);
    return known;
  });
}
