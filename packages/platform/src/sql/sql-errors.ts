import { SelsynError, type ErrorCode } from '../kernel/errors.ts';
import { withHint } from './error-hints.ts';

const UNKNOWN_PLACE = 2 ** 53;

/** An error about a place in the query: a byte of its UTF-8, as the engine counts. */
export function errorAt(
  code: ErrorCode,
  message: string,
  sql: string,
  byte: number | undefined,
  details: Readonly<Record<string, unknown>> = {},
): SelsynError {
  if (byte === undefined || !(byte >= 0 && byte < UNKNOWN_PLACE)) return new SelsynError(code, message, { details });
  const before = Buffer.from(sql).subarray(0, byte).toString();
  const lines = before.split('\n');
  const line = lines.length;
  const column = lines.at(-1)!.length + 1;
  return new SelsynError(code, `${message} (line ${line}, column ${column})`, { details: { ...details, line, column } });
}

/** As the engine writes errors with `errors_as_json`. */
interface EngineError {
  readonly exception_type?: string;
  readonly exception_message?: string;
  readonly position?: string;
  readonly candidates?: string;
}

/** Errors of the engine that tell of a query that is wrong, found before it runs. */
const BEFORE_IT_RUNS: ReadonlySet<string> = new Set([
  'Parser',
  'Binder',
  'Catalog',
  'Syntax',
  'Expression',
  'Not implemented',
  'Parameter Not Resolved',
  'Parameter Not Allowed',
]);

/**
 * What the engine threw, told to whoever wrote the query.
 *
 * @param offset how many bytes stood before the query in what the engine was given
 */
export function engineError(error: unknown, sql: string, offset: number): SelsynError {
  if (error instanceof SelsynError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const known = parse(text);
  if (known === undefined) return new SelsynError('sql.failed', firstLine(text));
  const type = known.exception_type ?? '';
  const message = firstParagraph(known.exception_message ?? text);
  if (type === 'Out of Memory') {
    return new SelsynError('sql.over-limit', 'the query needs more memory than it may take', { details: { limit: 'memory' } });
  }
  if (type === 'Permission') return new SelsynError('sql.refused', 'a query reads no files');
  const byte = known.position === undefined ? undefined : Number(known.position) - offset;
  return errorAt(BEFORE_IT_RUNS.has(type) ? 'sql.invalid' : 'sql.failed', withHint(message, sql, byte), sql, byte);
}

function parse(text: string): EngineError | undefined {
  const start = text.indexOf('{');
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start)) as EngineError;
  } catch {
    return undefined;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

/** Without the lines that repeat the query, and without names of what is not the user's. */
function firstParagraph(text: string): string {
  const [paragraph] = text.split('\n\nLINE', 1);
  return paragraph!
    .replace(/\nDid you mean "(pg_|duckdb_|sqlite_|information_)[^"]*"\?/, '')
    .replace(/\.?(?: In order to select one, please| You might need to) add explicit type casts\.\s*Candidate functions:[^]*/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
