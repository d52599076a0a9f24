import { SelsynError } from '../../kernel/errors.ts';
import { fieldsOf } from '../document-samples.ts';

/** A place in a document, of JSON or CBOR. */
export interface DocumentPath {
  readonly text: string;
  /** `$`: from the document; `@`: from the sample. */
  readonly root: '$' | '@';
  readonly steps: readonly Step[];
}

/** A name, a place in an array (from its end where it is negative), or all there are. */
type Step = { readonly name: string } | { readonly index: number } | 'all';

export const MAX_PATH = 256;
const MAX_STEPS = 16;
/** What `*` finds in one message. */
const MAX_FOUND = 10_000;

const STEP = /\.([\p{L}_][\p{L}\p{N}_-]*)|\.(\*)|\[(\*)\]|\[(-?\d{1,6})\]|\[('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]/uy;

/**
 * Reads a path: of JSONPath (RFC 9535) the names (`.a`, `['a b']`), places (`[0]`, `[-1]`) and `*`, without filters, slices and `..`.
 *
 * @throws SelsynError `request.invalid`
 */
export function parsePath(text: string, field: string): DocumentPath {
  const root = text.charAt(0);
  if (root !== '$' && root !== '@') {
    throw invalid(field, `the path ${JSON.stringify(text)} begins neither with $ (the message) nor with @ (the sample)`);
  }
  if (text.length > MAX_PATH) throw invalid(field, `a path has at most ${MAX_PATH} characters`);
  const steps: Step[] = [];
  let at = 1;
  while (at < text.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null)
      throw invalid(field, `the path ${JSON.stringify(text)} is not understood at ${JSON.stringify(text.slice(at))}`);
    const [whole, name, star, starInBrackets, index, quotedName] = match;
    if (name !== undefined) steps.push({ name });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (quotedName !== undefined) steps.push({ name: unquoted(quotedName) });
    else if (star !== undefined || starInBrackets !== undefined) steps.push('all');
    at += whole.length;
  }
  if (steps.length > MAX_STEPS) throw invalid(field, `a path has at most ${MAX_STEPS} steps`);
  return { text, root, steps };
}

/** Whether a path may find more than one value. */
export function findsMany({ steps }: DocumentPath): boolean {
  return steps.includes('all');
}

/** The one value that is there; undefined: there is none. For paths without `*`. */
export function valueAt(document: unknown, { steps }: DocumentPath): unknown {
  let value = document;
  for (const step of steps) {
    if (value === undefined || step === 'all') return undefined;
    value = stepInto(value, step);
  }
  return value;
}

/** All values that are there, in the order of the document; the first MAX_FOUND + 1 of them. */
export function valuesAt(document: unknown, { steps }: DocumentPath): readonly unknown[] {
  let found: unknown[] = [document];
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of found) {
      if (step === 'all') {
        const items = Array.isArray(value) ? (value as unknown[]) : [...(fieldsOf(value)?.values() ?? [])];
        for (const item of items) if (next.length <= MAX_FOUND) next.push(item);
      } else {
        const inner = stepInto(value, step);
        if (inner !== undefined) next.push(inner);
      }
    }
    found = next;
  }
  return found;
}

function stepInto(value: unknown, step: Exclude<Step, 'all'>): unknown {
  if ('index' in step) {
    if (!Array.isArray(value)) return undefined;
    return value[step.index < 0 ? value.length + step.index : step.index] as unknown;
  }
  if (value instanceof Map) {
    const map = value as ReadonlyMap<string | number, unknown>;
    return map.get(step.name) ?? map.get(Number(step.name));
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step.name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[step.name];
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

function invalid(field: string, reason: string): SelsynError {
  return new SelsynError('request.invalid', reason, { details: { field } });
}
