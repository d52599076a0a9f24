import type { Message } from './message.ts';

/**
 * The last retained message of each topic, bounded in count and bytes.
 *
 * A trie by levels, so that a filter reads only what can match. Invariant: a node other than the root has a message or children.
 */
export class RetainedStore {
  readonly #root: RetainedNode = { level: '', message: undefined, children: undefined };
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  count = 0;
  bytes = 0;

  constructor(limits: { readonly maxRetainedMessages: number; readonly maxRetainedBytes: number }) {
    this.#maxMessages = limits.maxRetainedMessages;
    this.#maxBytes = limits.maxRetainedBytes;
  }

  /** Whether a message of this size can take the place of what the topic has now. */
  hasRoom(topic: string, sizeBytes: number): boolean {
    const old = this.get(topic);
    const count = this.count + (old === undefined ? 1 : 0);
    return count <= this.#maxMessages && this.bytes - (old?.sizeBytes ?? 0) + sizeBytes <= this.#maxBytes;
  }

  get(topic: string): Message | undefined {
    let node: RetainedNode | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node.message;
  }

  /** Replaces the message of its topic [MQTT-3.3.1-5]. False, and nothing is changed, where there is no room. */
  put(message: Message): boolean {
    if (!this.hasRoom(message.topic.name, message.sizeBytes)) return false;
    let node = this.#root;
    for (const level of message.topic.name.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) node.children.set(level, (child = { level, message: undefined, children: undefined }));
      node = child;
    }
    if (node.message === undefined) this.count++;
    else this.bytes -= node.message.sizeBytes;
    node.message = message;
    this.bytes += message.sizeBytes;
    return true;
  }

  /** An empty retained message does this [MQTT-3.3.1-6]. */
  remove(topic: string): void {
    const path = [this.#root];
    for (const level of topic.split('/')) {
      const child = path.at(-1)?.children?.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const node = path.at(-1) as RetainedNode; // the root is always there
    if (node.message === undefined) return;
    this.count--;
    this.bytes -= node.message.sizeBytes;
    node.message = undefined;
    for (let depth = path.length - 1; depth > 0; depth--) {
      const { message, children, level } = path[depth] as RetainedNode; // depth is within the path
      if (message !== undefined || children !== undefined) return;
      const parent = path[depth - 1] as RetainedNode;
      parent.children?.delete(level);
      if (parent.children?.size === 0) parent.children = undefined;
    }
  }

  /** Reads everything, bit by bit, also what no wildcard matches. */
  wholeCursor(): RetainedCursor {
    return new RetainedCursor(this.#root, '#', true);
  }

  /** Reads all that match a filter, bit by bit: see {@link RetainedCursor}. */
  cursor(filter: string): RetainedCursor {
    return new RetainedCursor(this.#root, filter);
  }
}

interface RetainedNode {
  readonly level: string;
  message: Message | undefined;
  children: Map<string, RetainedNode> | undefined;
}

/**
 * Walks the messages that match one filter, and may be left and gone on with at any time. What is stored or removed meanwhile
 * may or may not be seen; what is seen is the message of that moment.
 */
export class RetainedCursor {
  readonly #root: RetainedNode;
  readonly #withDollar: boolean;
  readonly #levels: readonly string[];
  readonly #stack: { readonly nodes: Iterator<RetainedNode>; readonly depth: number }[];

  /** @param withDollar `#` reads topics that begin with `$` too. */
  constructor(root: RetainedNode, filter: string, withDollar = false) {
    this.#root = root;
    this.#withDollar = withDollar;
    this.#levels = filter.split('/');
    this.#stack = [{ nodes: [root].values(), depth: 0 }];
  }

  /**
   * Visits at most `nodes` nodes and hands each message to `take`, until that returns false.
   * @returns how many nodes were visited.
   */
  read(nodes: number, take: (message: Message) => boolean): number {
    let visited = 0;
    while (visited < nodes) {
      const top = this.#stack.at(-1);
      if (top === undefined) break;
      const next = top.nodes.next();
      if (next.done === true) {
        this.#stack.pop();
        continue;
      }
      visited++;
      const message = this.#visit(next.value, top.depth);
      if (message !== undefined && !take(message)) break;
    }
    return visited;
  }

  get done(): boolean {
    return this.#stack.length === 0;
  }

  /** `depth` levels of the filter are matched by the way to `node`. Returns its message where it matches. */
  #visit(node: RetainedNode, depth: number): Message | undefined {
    const level = this.#levels[depth];
    if (level === undefined) return node.message;
    if (level === '#') {
      this.#pushAll(node, depth);
      return node.message;
    }
    if (level === '+') this.#pushAll(node, depth + 1);
    else {
      const child = node.children?.get(level);
      if (child !== undefined) this.#stack.push({ nodes: [child].values(), depth: depth + 1 });
    }
    return undefined;
  }

  #pushAll(node: RetainedNode, depth: number): void {
    if (node.children === undefined) return;
    // A wildcard in the first level matches no topic that begins with `$` [MQTT-4.7.2-1].
    const nodes = node === this.#root && !this.#withDollar ? withoutDollar(node.children) : node.children.values();
    this.#stack.push({ nodes, depth });
  }
}

function* withoutDollar(children: Map<string, RetainedNode>): Generator<RetainedNode> {
  for (const node of children.values()) {
    if (!node.level.startsWith('$')) yield node;
  }
}
