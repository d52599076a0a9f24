import { SelsynError } from '../kernel/errors.ts';
import { invalidRequest } from './problem.ts';

/** `"12"`: a version as a strong entity tag (RFC 9110, 8.8.3). */
export function versionTag(version: number): string {
  return `"${version}"`;
}

/** What a request asks of the version that it changes. */
export type Condition =
  | { readonly kind: 'none' }
  /** RFC 9110, 13.1.1: it is one of these. */
  | { readonly kind: 'match'; readonly versions: readonly number[] }
  /** RFC 9110, 13.1.1: there is one, `*`. */
  | { readonly kind: 'exists' }
  /** RFC 9110, 13.1.2: there is none, `*`. */
  | { readonly kind: 'absent' };

interface Headers {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

const TAGS = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*$/;
const VERSION = /^"(\d{1,15})"$/;

/** What a change asks by its header. @throws SelsynError `request.invalid` */
export function conditionOf(headers: Headers): Condition {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && noneMatch !== undefined) throw wrong('if-match', 'give either If-Match or If-None-Match');
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return { kind: 'absent' };
    throw wrong('if-none-match', 'a change takes only If-None-Match: *');
  }
  if (match === undefined) return { kind: 'none' };
  if (match.trim() === '*') return { kind: 'exists' };
  // A tag that is not one of ours, or a weak one, matches nothing (8.8.3.2): that is no fault of the request.
  const versions = tagsOf('if-match', match).flatMap((tag) => VERSION.exec(tag)?.[1] ?? []);
  return { kind: 'match', versions: versions.map(Number) };
}

/** Whether who reads has this version already (RFC 9110, 13.1.2). @throws SelsynError `request.invalid` */
export function isKnown(headers: Headers, version: number): boolean {
  const { 'if-none-match': noneMatch } = headers;
  if (noneMatch === undefined) return false;
  if (noneMatch.trim() === '*') return true;
  return tagsOf('if-none-match', noneMatch).some((tag) => tag.replace(/^W\//, '') === versionTag(version));
}

export function preconditionFailed(message: string, details: Readonly<Record<string, unknown>>): SelsynError {
  return new SelsynError('request.precondition-failed', message, { details });
}

function tagsOf(header: keyof Headers, text: string): readonly string[] {
  if (!TAGS.test(text.trim())) throw wrong(header, 'must be entity tags as an earlier answer gave: "12"');
  return text.split(',').map((tag) => tag.trim());
}

function wrong(field: keyof Headers, message: string): SelsynError {
  return invalidRequest([{ in: 'headers', field, message }]);
}
