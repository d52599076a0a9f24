import { type AccessFacts, valueOf } from './access-facts.ts';
import type { PolicyAction, PolicyDocument } from './policy-document.ts';
import { TopicPattern, type VariableValues } from './topic-pattern.ts';

/** A policy as it takes part in a decision. */
export interface NamedPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
}

/** Which statement decided, for people. */
export interface Decider {
  readonly policy: string;
  /** From 0. */
  readonly statement: number;
  readonly effect: 'allow' | 'deny';
  /** As it stands in the policy. */
  readonly pattern: string;
}

interface Rule extends Decider {
  readonly topic: TopicPattern;
}

interface ClientRule extends Decider {
  readonly client: readonly (string | number | typeof ANY_TEXT)[];
}

const ANY_TEXT = Symbol('*');

/**
 * A set of policies, compiled once for all devices that have this very set. What a device may do is then asked with the values of
 * its variables: nothing of it is kept for each connection but those.
 *
 * A deny outweighs every allow. Where a variable has no value an allow gives nothing, and a deny takes the whole level.
 * `receive` goes with `subscribe`: what may be subscribed to may be received, unless it is denied for either.
 */
export class CompiledPolicies {
  /** Their values are to be given, in this order. */
  readonly variables: readonly string[];
  readonly #allow: Record<PolicyAction, readonly Rule[]>;
  readonly #deny: Record<PolicyAction, readonly Rule[]>;
  readonly #clients: readonly ClientRule[];

  constructor(policies: readonly NamedPolicy[]) {
    const variables: string[] = [];
    const indexOf = (variable: string): number => {
      const known = variables.indexOf(variable);
      return known >= 0 ? known : variables.push(variable) - 1;
    };
    const rules: { readonly action: PolicyAction; readonly rule: Rule }[] = [];
    const clients: ClientRule[] = [];
    for (const { name: policy, document } of policies) {
      for (const [statement, { effect, actions, topics = [], clients: ids = ['*'] }] of document.statements.entries()) {
        for (const action of actions) {
          if (action === 'connect')
            for (const pattern of ids)
              clients.push({ policy, statement, effect, pattern, client: clientPartsOf(pattern, indexOf) });
          else
            for (const pattern of topics) {
              const topic = new TopicPattern(pattern, indexOf);
              rules.push({ action, rule: { policy, statement, effect, pattern, topic } });
            }
        }
      }
    }
    const of = (effect: 'allow' | 'deny', ...actions: readonly PolicyAction[]): readonly Rule[] =>
      rules.flatMap(({ action, rule }) => (rule.effect === effect && actions.includes(action) ? [rule] : []));
    this.variables = variables;
    this.#clients = clients;
    this.#allow = {
      connect: [],
      publish: of('allow', 'publish'),
      retain: of('allow', 'retain'),
      subscribe: of('allow', 'subscribe'),
      receive: of('allow', 'subscribe', 'receive'),
    };
    this.#deny = {
      connect: [],
      publish: of('deny', 'publish'),
      retain: of('deny', 'retain'),
      subscribe: of('deny', 'subscribe'),
      receive: of('deny', 'subscribe', 'receive'),
    };
  }

  valuesFor(facts: AccessFacts): VariableValues {
    return this.variables.map((variable) => valueOf(variable, facts));
  }

  /** Whether a topic may be published to, retained on, or received. */
  allowsTopic(action: 'publish' | 'retain' | 'receive', topic: string, values: VariableValues): boolean {
    return this.decideTopic(action, topic, values)?.effect === 'allow';
  }

  /** Which statement decides; undefined: none does, and it is denied. */
  decideTopic(action: 'publish' | 'retain' | 'receive', topic: string, values: VariableValues): Decider | undefined {
    for (const rule of this.#deny[action]) if (rule.topic.matches(topic, values, 'anything')) return rule;
    for (const rule of this.#allow[action]) if (rule.topic.matches(topic, values, 'nothing')) return rule;
    return undefined;
  }

  /** Whether a filter without `$share` may be subscribed to; see {@link decideFilter}. */
  allowsFilter(filter: string, values: VariableValues): boolean {
    return this.decideFilter(filter, values)?.effect === 'allow';
  }

  /**
   * One pattern must allow all that the filter matches. It is denied where one denied pattern covers it; where they only overlap,
   * what is denied is kept away message by message, as it may not be received.
   */
  decideFilter(filter: string, values: VariableValues): Decider | undefined {
    for (const rule of this.#deny.subscribe) if (rule.topic.covers(filter, values, 'anything')) return rule;
    for (const rule of this.#allow.subscribe) if (rule.topic.covers(filter, values, 'nothing')) return rule;
    return undefined;
  }

  /** Which statement decides whether this client id may be used; undefined: none, and it is denied. */
  decideClient(clientId: string, values: VariableValues): Decider | undefined {
    const matching = this.#clients.filter(({ client, effect }) => matchesClient(client, clientId, values, effect === 'deny'));
    return matching.find(({ effect }) => effect === 'deny') ?? matching[0];
  }
}

function clientPartsOf(pattern: string, indexOf: (variable: string) => number): ClientRule['client'] {
  return pattern
    .split(/(\$\{[^}]*\}|\*)/)
    .filter((piece) => piece !== '')
    .map((piece) => (piece === '*' ? ANY_TEXT : piece.startsWith('${') ? indexOf(piece.slice(2, -1)) : piece));
}

/** Takes the earliest place for each text between two `*`, which finds a match where there is one. O(length x parts). */
function matchesClient(parts: ClientRule['client'], clientId: string, values: VariableValues, unknownIsAny: boolean): boolean {
  const runs: string[] = [''];
  for (const part of parts) {
    const text = typeof part === 'number' ? values[part] : part;
    if (text === undefined && !unknownIsAny) return false;
    if (typeof text === 'string') runs[runs.length - 1] += text;
    else runs.push('');
  }
  const [first = '', ...rest] = runs;
  const last = rest.pop();
  if (last === undefined) return clientId === first;
  if (!clientId.startsWith(first) || clientId.length < first.length + last.length || !clientId.endsWith(last)) return false;
  const end = clientId.length - last.length;
  let at = first.length;
  for (const run of rest) {
    const found = clientId.indexOf(run, at);
    if (found < 0 || found + run.length > end) return false;
    at = found + run.length;
  }
  return true;
}
