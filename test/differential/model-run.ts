import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { CLIENTS, SHARED_FILTERS, type ClientName, type ModelStep, type ModelSubscription } from './model-step.ts';
import { type Server, Subject } from './subject.ts';

/** How long one server may be behind the other before that counts as a difference. */
const LAG_DEADLINE_MS = 30_000;

interface ModelClient {
  connected: boolean;
  version: ProtocolVersion;
  muted: boolean;
  /** The session outlives the connection. */
  persistent: boolean;
  hasWindow: boolean;
  /** The connection has a will of the model. */
  hasWill: boolean;
  readonly subscriptions: Map<string, ModelSubscription>;
}

let runs = 0;

/**
 * Does the same steps on all servers, and compares after each step what their clients have seen.
 *
 * @throws with the first difference.
 */
export async function runModel(steps: readonly ModelStep[], servers: readonly Server[]): Promise<void> {
  const run = `run${process.pid}-${++runs}`;
  await using all = new AsyncDisposableStack();
  const subjects = servers.map((server) => all.use(new Subject(server, run)));
  await Promise.all(subjects.map(async (subject) => await subject.open()));
  const clients = new Map<ClientName, ModelClient>(
    CLIENTS.map((name) => [
      name,
      {
        connected: false,
        version: 4,
        muted: false,
        persistent: false,
        hasWindow: false,
        hasWill: false,
        subscriptions: new Map(),
      },
    ]),
  );
  const done: string[] = [];
  for (const [index, step] of steps.entries()) {
    const client = clients.get(step.client);
    if (client === undefined || isLeftOut(step, client, clients)) continue;
    const steered = steer(step, client);
    done.push(`${index}: ${JSON.stringify(steered)}`);
    await Promise.all(subjects.map(async (subject) => await subject.apply(steered, `message ${index}`)));
    note(steered, client);
    await expectSame(subjects, done);
  }
  // What came late, or twice, is there by now.
  await pause(10);
  await expectSame(subjects, done);
}

/** Steps that can not be done, and those in which the servers are known to differ: see differences.ts. */
function isLeftOut(step: ModelStep, client: ModelClient, clients: ReadonlyMap<ClientName, ModelClient>): boolean {
  switch (step.kind) {
    case 'connect':
      // Whether a client that is taken over still hears its own will is left to the server.
      return client.connected && client.hasWill && (client.persistent || client.subscriptions.size > 0);
    case 'subscribe':
      // When all is sent again, a retained message could not be told from a copy of what came live.
      if (client.muted && client.persistent) return true;
      // In 3.1.1 it can not ask for the options that mosquitto keeps from when it spoke 5.0.
      return !client.connected || (client.version === 4 && step.subscriptions.some(({ filter }) => hasOptions(client, filter)));
    case 'mute':
      // Which of several copies are within the window would be seen.
      return !client.connected || client.hasWindow;
    case 'publish':
      return !client.connected || (step.topic.startsWith('shared/') && !everyMemberListens(clients));
    case 'broken-qos2':
      // What became of a message whose session ended half way is not said.
      // It goes out when it comes or when it is released (MQTT 5.0, 4.3.3): before or behind the will, to the old connection or the new.
      return !client.connected || !client.persistent || client.hasWill || client.subscriptions.size > 0;
    default:
      return !client.connected;
  }
}

function hasOptions({ subscriptions }: ModelClient, filter: string): boolean {
  const one = subscriptions.get(filter);
  return one !== undefined && (one.noLocal || one.retainAsPublished);
}

/** Which member is chosen is left to the server; one that does not listen would make that choice visible later. */
function everyMemberListens(clients: ReadonlyMap<ClientName, ModelClient>): boolean {
  return [...clients.values()].every(
    ({ subscriptions, connected, muted }) => (connected && !muted) || ![...subscriptions.keys()].some(isShared),
  );
}

/** The step as both servers take it alike. A subscription that is there already keeps the options that mosquitto does not change. */
function steer(step: ModelStep, client: ModelClient): ModelStep {
  // mosquitto sends retained messages to shared subscriptions too.
  if (step.kind === 'publish' && step.topic.startsWith('shared/')) return { ...step, retain: false };
  // A DISCONNECT of 3.1.1 says nothing: the session is what the CONNECT made it (MQTT 3.1.1, 3.1.2.4 and 3.14).
  if (step.kind === 'disconnect' && client.version === 4) return { ...step, withWill: false, endsSession: false };
  if (step.kind !== 'subscribe') return step;
  const seen = new Map(client.subscriptions);
  const subscriptions = step.subscriptions.map((one) => {
    const { noLocal, retainAsPublished } = seen.get(one.filter) ?? (client.version === 5 ? one : PLAIN);
    // mosquitto sends a client its own retained messages despite No Local.
    const retainHandling = noLocal ? 2 : one.retainHandling;
    const steered = { ...one, noLocal, retainAsPublished, retainHandling };
    seen.set(one.filter, steered);
    return steered;
  });
  return { ...step, subscriptions };
}

const PLAIN = { noLocal: false, retainAsPublished: false };

function note(step: ModelStep, client: ModelClient): void {
  switch (step.kind) {
    case 'connect': {
      const endsNow = step.version === 4 ? step.cleanStart : !step.outlives;
      if (step.cleanStart || !client.persistent) client.subscriptions.clear();
      client.connected = true;
      client.version = step.version;
      client.muted = false;
      client.persistent = !endsNow;
      client.hasWindow = step.receiveMaximum !== undefined;
      client.hasWill = step.will !== undefined;
      return;
    }
    case 'subscribe':
      for (const one of step.subscriptions) client.subscriptions.set(one.filter, one);
      return;
    case 'unsubscribe':
      for (const filter of step.filters) client.subscriptions.delete(filter);
      return;
    case 'disconnect':
      client.connected = false;
      if (step.endsSession || !client.persistent) client.subscriptions.clear();
      client.persistent &&= !step.endsSession;
      return;
    case 'drop':
      client.connected = false;
      if (!client.persistent) client.subscriptions.clear();
      return;
    case 'broken-qos2':
      client.muted = false;
      return;
    case 'mute':
      client.muted = true;
      return;
    case 'publish':
  }
}

function isShared(filter: string): boolean {
  return SHARED_FILTERS.some((shared) => shared === filter);
}

async function expectSame(subjects: readonly Subject[], done: readonly string[]): Promise<void> {
  const deadline = performance.now() + LAG_DEADLINE_MS;
  for (;;) {
    const difference = differenceOf(subjects);
    if (difference === undefined) return;
    if (performance.now() > deadline) throw new Error(`${difference}\nafter\n${done.join('\n')}`);
    await pause(2);
  }
}

function differenceOf(subjects: readonly Subject[]): string | undefined {
  const [first, ...others] = subjects;
  if (first === undefined) return undefined;
  const wanted = first.observed();
  for (const other of others) {
    for (const [who, seen] of other.observed()) {
      if (seen !== wanted.get(who)) return `${who} on ${first.name}:\n${wanted.get(who)}\n${who} on ${other.name}:\n${seen}`;
    }
  }
  return undefined;
}
