import type { QoS } from '@selsyn/wire/mqtt/packets.ts';

/** What one subscriber asked for with one filter. */
export interface SubscriptionOptions {
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: none. */
  readonly identifier: number;
}

/** One subscriber of a topic, its overlapping subscriptions joined: it gets one copy, at the highest QoS [MQTT-3.3.4-2]. */
export interface Match<S> {
  readonly subscriber: S;
  readonly qos: QoS;
  /** One of its matching subscriptions says so: what it published itself, it gets by `own`. */
  readonly noLocal: boolean;
  /** Where one has No Local: those that do not, joined; undefined where all have it. */
  readonly own: Match<S> | undefined;
  readonly retainAsPublished: boolean;
  /** The identifiers of all matching subscriptions that have one [MQTT-3.3.4-3]; undefined for none. */
  readonly identifiers: readonly number[] | undefined;
}

/**
 * Subscriptions by topic filter. Matching costs by the levels of the topic and by the matches, not by the subscriptions.
 *
 * ```
 *   root ─ "telemetry" ─ "+"       here: {session 7}         telemetry/+
 *        └ "devices" ─── "d1" ──── below: {session 9}        devices/d1/#
 * ```
 * Invariants: a node other than the root has children, `here` or `below`; no set is empty. `#` is `below` of its parent, `+` is
 * an ordinary child, as neither can stand in a topic name. `version` changes with every change of what matches.
 */
export class TopicTrie<S> {
  readonly #root: Node<S> = { children: undefined, here: undefined, below: undefined };
  #size = 0;
  version = 0;
  /** Nodes that were looked at by `match`, all in all: what matching costs. */
  visits = 0;

  /** The number of (filter, subscriber) pairs. */
  get size(): number {
    return this.#size;
  }

  /** Adds or replaces; true when the pair is new. The filter is valid and not shared. */
  set(filter: string, subscriber: S, options: SubscriptionOptions): boolean {
    const levels = filter.split('/');
    const below = levels.at(-1) === '#';
    if (below) levels.pop();
    let node = this.#root;
    for (const level of levels) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) node.children.set(level, (child = { children: undefined, here: undefined, below: undefined }));
      node = child;
    }
    const set = below ? (node.below ??= new Map()) : (node.here ??= new Map());
    const isNew = !set.has(subscriber);
    set.set(subscriber, options);
    this.version++;
    if (isNew) this.#size++;
    return isNew;
  }

  /** False when there was no such pair. Nodes that are needed no more go with it. */
  delete(filter: string, subscriber: S): boolean {
    const levels = filter.split('/');
    const below = levels.at(-1) === '#';
    if (below) levels.pop();
    const path: Node<S>[] = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children?.get(level);
      if (child === undefined) return false;
      path.push(child);
    }
    const node = path.at(-1) as Node<S>; // the root is always there
    const set = below ? node.below : node.here;
    if (set === undefined || !set.delete(subscriber)) return false;
    if (set.size === 0) node[below ? 'below' : 'here'] = undefined;
    this.#prune(path, levels);
    this.version++;
    this.#size--;
    return true;
  }

  /** All subscribers of a topic, each once. */
  match(topic: string): readonly Match<S>[] {
    const found: Map<S, SubscriptionOptions>[] = [];
    // Wildcards in the first level match no topic that begins with `$` [MQTT-4.7.2-1].
    this.visits += collect(this.#root, topic.split('/'), 0, topic.startsWith('$'), found);
    return found.length === 0 ? NONE : join(found);
  }

  #prune(path: readonly Node<S>[], levels: readonly string[]): void {
    for (let depth = path.length - 1; depth > 0; depth--) {
      const node = path[depth] as Node<S>; // depth is within the path
      if (node.children !== undefined || node.here !== undefined || node.below !== undefined) return;
      const parent = path[depth - 1] as Node<S>;
      parent.children?.delete(levels[depth - 1] as string);
      if (parent.children?.size === 0) parent.children = undefined;
    }
  }
}

/** What a subscriber is due of a message of this origin: of its own, nothing by a subscription with No Local [MQTT-3.8.3-3]. */
export function dueTo<S extends { readonly key: string }>(match: Match<S>, origin: string | undefined): Match<S> | undefined {
  return match.noLocal && match.subscriber.key === origin ? match.own : match;
}

interface Node<S> {
  children: Map<string, Node<S>> | undefined;
  here: Map<S, SubscriptionOptions> | undefined;
  below: Map<S, SubscriptionOptions> | undefined;
}

const NONE: readonly never[] = [];

/** @returns how many nodes were looked at */
function collect<S>(
  node: Node<S>,
  levels: readonly string[],
  depth: number,
  exactOnly: boolean,
  found: Map<S, SubscriptionOptions>[],
): number {
  if (node.below !== undefined && !exactOnly) found.push(node.below);
  const level = levels[depth];
  if (level === undefined) {
    if (node.here !== undefined) found.push(node.here);
    return 1;
  }
  const children = node.children;
  if (children === undefined) return 1;
  let visits = 1;
  const exact = children.get(level);
  if (exact !== undefined) visits += collect(exact, levels, depth + 1, false, found);
  const any = exactOnly ? undefined : children.get('+');
  if (any !== undefined) visits += collect(any, levels, depth + 1, false, found);
  return visits;
}

function join<S>(found: readonly Map<S, SubscriptionOptions>[]): Match<S>[] {
  const matches: Match<S>[] = [];
  const places = found.length > 1 ? new Map<S, number>() : undefined;
  for (const set of found) {
    for (const [subscriber, options] of set) {
      const place = places?.get(subscriber);
      if (place === undefined) {
        places?.set(subscriber, matches.length);
        matches.push(matchOf(subscriber, options));
      } else {
        matches[place] = joinTwo(matches[place] as Match<S>, options);
      }
    }
  }
  return matches;
}

function matchOf<S>(subscriber: S, { qos, noLocal, retainAsPublished, identifier }: SubscriptionOptions): Match<S> {
  const identifiers = identifier === 0 ? undefined : [identifier];
  return { subscriber, qos, noLocal, own: undefined, retainAsPublished, identifiers };
}

function joinTwo<S>(match: Match<S>, options: SubscriptionOptions): Match<S> {
  const { identifier } = options;
  return {
    subscriber: match.subscriber,
    qos: match.qos > options.qos ? match.qos : options.qos,
    noLocal: match.noLocal || options.noLocal,
    own: match.noLocal || options.noLocal ? joinOwn(match, options) : undefined,
    retainAsPublished: match.retainAsPublished || options.retainAsPublished,
    identifiers: identifier === 0 ? match.identifiers : [...(match.identifiers ?? []), identifier],
  };
}

function joinOwn<S>(match: Match<S>, options: SubscriptionOptions): Match<S> | undefined {
  const own = match.noLocal ? match.own : match;
  if (options.noLocal) return own;
  return own === undefined ? matchOf(match.subscriber, options) : joinTwo(own, options);
}
