import { SelsynError } from '../kernel/errors.ts';
import { SCRIPT_FILE } from './script-frame.ts';

/** An error of a script, as the frame describes it. */
export interface ThrownByScript {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** What QuickJS throws where a limit is reached. A script may throw the same words: it fails either way. */
const LIMITS: Readonly<Record<string, string>> = {
  interrupted: 'the script took too long',
  'out of memory': 'the script needs too much memory',
  'stack overflow': 'the script calls itself too deep',
  'string too long': 'the script makes a text that is too long',
  'invalid string length': 'the script makes a text that is too long',
};

/** @param code for what is neither a limit nor a mistake in the text: `script.invalid` while it is loaded, `script.failed` when it runs. */
export function errorOfScript(thrown: ThrownByScript, code: 'script.invalid' | 'script.failed'): SelsynError {
  const place = placeIn(thrown.stack);
  const where = place === undefined ? '' : ` at line ${place.line}`;
  const limit = thrown.name === 'InternalError' || thrown.name === 'RangeError' ? LIMITS[thrown.message] : undefined;
  if (limit !== undefined) return overLimit(`${limit}${where}`, place);
  const message = thrown.name === '' || thrown.name === 'Error' ? thrown.message : `${thrown.name}: ${thrown.message}`;
  return new SelsynError(
    thrown.name === 'SyntaxError' && code === 'script.invalid' ? 'script.invalid' : code,
    `${message}${where}`,
    {
      details: { ...place },
    },
  );
}

export function overLimit(message: string, details: object = {}): SelsynError {
  return new SelsynError('script.over-limit', message, { details: { ...details } });
}

const PLACE = new RegExp(`\\b${SCRIPT_FILE}:(\\d+)(?::(\\d+))?`);

/** Where in the text of the script; the first line is 1. */
function placeIn(stack: string): { readonly line: number; readonly column?: number } | undefined {
  const [, line, column] = PLACE.exec(stack) ?? [];
  if (line === undefined) return undefined;
  return { line: Number(line), ...(column !== undefined && { column: Number(column) }) };
}
