import { filterCovers } from '@selsyn/wire/topics/filter-covers.ts';
import { filterMatches, isValidTopicFilter, parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { SelsynError } from '../kernel/errors.ts';

/** What nobody may do in open mode: topic filters that are valid and not shared. */
export interface OpenPolicy {
  readonly denySubscribe: readonly string[];
  readonly denyPublish: readonly string[];
}

export const NO_EXCEPTIONS: OpenPolicy = { denySubscribe: [], denyPublish: [] };

/** Each is compared with every topic that a connection uses. */
const MAX_PATTERNS = 1_000;

/**
 * Reads the JSON text of `access.openPolicy`; an empty one has no exceptions.
 * @throws SelsynError `config.invalid`, whose message goes on from the name of the setting: "is not JSON ...".
 */
export function parseOpenPolicy(text: string): OpenPolicy {
  if (text.trim() === '') return NO_EXCEPTIONS;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw invalid(`is not JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid('must hold one JSON object, such as {"denySubscribe":["a/b"]}');
  }
  for (const key of Object.keys(content)) {
    if (!Object.hasOwn(NO_EXCEPTIONS, key))
      throw invalid(`has an unknown list ${key}: there are ${Object.keys(NO_EXCEPTIONS).join(' and ')}`);
  }
  const lists = new Map<string, unknown>(Object.entries(content));
  return {
    denySubscribe: patternsOf('denySubscribe', lists.get('denySubscribe')),
    denyPublish: patternsOf('denyPublish', lists.get('denyPublish')),
  };
}

export function policyAllowsPublish(policy: OpenPolicy, topic: string): boolean {
  return !matchesAny(policy.denyPublish, topic);
}

/**
 * A filter is refused where one denied pattern covers it, so that it could bring nothing. One that only overlaps with denied topics
 * is allowed: {@link policyAllowsReceive} keeps those away. A shared filter is judged by the filter behind its group.
 */
export function policyAllowsSubscribe(policy: OpenPolicy, filter: string): boolean {
  if (policy.denySubscribe.length === 0) return true;
  const inner = parseSharedFilter(filter)?.filter ?? filter;
  return !policy.denySubscribe.some((pattern) => filterCovers(pattern, inner));
}

export function policyAllowsReceive(policy: OpenPolicy, topic: string): boolean {
  return !matchesAny(policy.denySubscribe, topic);
}

function matchesAny(patterns: readonly string[], topic: string): boolean {
  for (const pattern of patterns) if (filterMatches(pattern, topic)) return true;
  return false;
}

function patternsOf(list: string, given: unknown): readonly string[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw invalid(`must have a list of topic filters under ${list}`);
  if (given.length > MAX_PATTERNS) throw invalid(`has more than ${MAX_PATTERNS} topic filters under ${list}`);
  return given.map((pattern: unknown) => {
    if (typeof pattern === 'string' && isValidTopicFilter(pattern) && !pattern.startsWith('$share/')) return pattern;
    throw invalid(`has ${JSON.stringify(pattern)} under ${list}, which is not a topic filter`);
  });
}

function invalid(message: string, cause?: unknown): SelsynError {
  return new SelsynError('config.invalid', message, { cause });
}
