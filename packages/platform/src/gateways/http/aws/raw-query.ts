import { AwsError } from './aws-error.ts';

/** The parameters of a query in their order, decoded; a `+` is a plus. */
export type RawQuery = readonly (readonly [name: string, value: string])[];

const ABSOLUTE = /^https?:\/\/[^/?#]*/i;

/** The path and the query of a request as they came, see RFC 9112, sections 3.2.1 and (as to a proxy) 3.2.2. */
export function splitTarget(whole: string): { readonly path: string; readonly query: string } {
  const target = whole.startsWith('/') ? whole : whole.replace(ABSOLUTE, '');
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** @throws AwsError InvalidRequestException for what is no percent-encoding */
export function parseQuery(query: string): RawQuery {
  if (query === '') return [];
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
    });
}

/** The first of this name. */
export function parameterOf(query: RawQuery, name: string): string | undefined {
  return query.find(([key]) => key === name)?.[1];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidRequestException', 'The query is not percent-encoded UTF-8');
  }
}
