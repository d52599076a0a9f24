import { isValidTopicFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { SelsynError } from '../../kernel/errors.ts';

/** What a device does with the broker. */
export type PolicyAction = 'connect' | 'publish' | 'retain' | 'subscribe' | 'receive';

export interface PolicyStatement {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly PolicyAction[];
  /** Topic filters with variables, for all actions but `connect`. */
  readonly topics?: readonly string[] | undefined;
  /** Client ids with variables, and `*` for any text, for `connect`; absent: any client id. */
  readonly clients?: readonly string[] | undefined;
}

/** Which topics whoever it is attached to may use; what no statement allows is denied, and a deny outweighs every allow. */
export interface PolicyDocument {
  readonly statements: readonly PolicyStatement[];
}

export const POLICY_ACTIONS: readonly PolicyAction[] = ['connect', 'publish', 'retain', 'subscribe', 'receive'];
/** Each is compared with every new topic of a connection. */
const MAX_STATEMENTS = 50;
const MAX_PATTERNS = 100;
const MAX_PATTERN_LENGTH = 1_024;

const VARIABLE = /\$\{([^}]*)\}/g;
const VARIABLE_NAME =
  /^(device\.id|device\.type|group|client\.id|sparkplug\.group|sparkplug\.node|attributes\.[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,3})$/;

/** @throws SelsynError `request.invalid` that names the place and what is wrong there. */
export function parsePolicyDocument(value: unknown): PolicyDocument {
  if (!isObject(value)) throw invalid('statements', 'a policy is an object with a list of statements');
  onlyKeys(value, ['statements'], 'the policy');
  const { statements } = value;
  if (!Array.isArray(statements) || statements.length > MAX_STATEMENTS)
    throw invalid('statements', `statements is a list of at most ${MAX_STATEMENTS}`);
  return { statements: statements.map((statement: unknown, index) => parseStatement(statement, `statements[${index}]`)) };
}

/** The names of the variables in a pattern, in their order. */
export function variablesIn(pattern: string): readonly string[] {
  return [...pattern.matchAll(VARIABLE)].map(([, name]) => name ?? '');
}

function parseStatement(value: unknown, at: string): PolicyStatement {
  if (!isObject(value)) throw invalid(at, 'a statement is an object');
  onlyKeys(value, ['effect', 'actions', 'topics', 'clients'], at);
  const { effect, actions, topics, clients } = value;
  if (effect !== 'allow' && effect !== 'deny') throw invalid(`${at}.effect`, 'effect is allow or deny');
  if (!Array.isArray(actions) || actions.length === 0 || !actions.every(isAction) || new Set(actions).size !== actions.length)
    throw invalid(`${at}.actions`, `actions is a list of ${POLICY_ACTIONS.join(', ')}`);
  const onTopics = actions.some((action) => action !== 'connect');
  if (onTopics !== (topics !== undefined))
    throw invalid(`${at}.topics`, 'topics are given with publish, retain, subscribe and receive, and only with them');
  if (clients !== undefined && !actions.includes('connect'))
    throw invalid(`${at}.clients`, 'clients are given with connect, and only with it');
  return {
    effect,
    actions,
    ...(topics !== undefined && { topics: patternsOf(topics, `${at}.topics`, checkTopicPattern) }),
    ...(clients !== undefined && { clients: patternsOf(clients, `${at}.clients`, () => undefined) }),
  };
}

function patternsOf(value: unknown, at: string, check: (pattern: string) => string | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_PATTERNS)
    throw invalid(at, `it is a list of 1 to ${MAX_PATTERNS}`);
  return value.map((pattern: unknown, index) => {
    if (typeof pattern !== 'string' || pattern.length === 0 || pattern.length > MAX_PATTERN_LENGTH)
      throw invalid(`${at}[${index}]`, `it is a text of 1 to ${MAX_PATTERN_LENGTH} characters`);
    const unknown = variablesIn(pattern).find((name) => !VARIABLE_NAME.test(name));
    if (unknown !== undefined || pattern.replaceAll(VARIABLE, '').includes('${'))
      throw invalid(
        `${at}[${index}]`,
        `the variables are \${device.id}, \${device.type}, \${group}, \${client.id}, \${sparkplug.group}, \${sparkplug.node} and \${attributes.NAME}`,
      );
    const fault = check(pattern);
    if (fault !== undefined) throw invalid(`${at}[${index}]`, fault);
    return pattern;
  });
}

/** A variable stands for a level, for part of one, or in the case of the group for several. */
function checkTopicPattern(pattern: string): string | undefined {
  const example = pattern.replaceAll(VARIABLE, 'x');
  if (example.startsWith('$share/')) return 'a shared subscription is judged by the filter behind its group: give that';
  return isValidTopicFilter(example) ? undefined : `"${pattern}" is no topic filter`;
}

function isAction(value: unknown): value is PolicyAction {
  return POLICY_ACTIONS.some((action) => action === value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function onlyKeys(value: object, known: readonly string[], at: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(at, `there is no ${unknown} in it: ${known.join(', ')}`);
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
