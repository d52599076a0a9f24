import type { ProtocolVersion, PublishProperties, QoS } from '@selsyn/wire/mqtt/packets.ts';
import fc, { type Arbitrary } from 'fast-check';

/** The clients of a run. Each has one client id, and one connection at most that is not taken over. */
export const CLIENTS = ['A', 'B', 'C'] as const;
export type ClientName = (typeof CLIENTS)[number];

export interface ModelWill {
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
}

export interface ModelSubscription {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface ConnectStep {
  readonly kind: 'connect';
  readonly client: ClientName;
  readonly version: ProtocolVersion;
  readonly cleanStart: boolean;
  /** 5.0: whether the session outlives the connection. In 3.1.1 that is what `cleanStart` says. */
  readonly outlives: boolean;
  readonly will: ModelWill | undefined;
  readonly receiveMaximum: number | undefined;
}

/** What one client does. Where it can not (it is not connected, say) the step is left out, on both servers. */
export type ModelStep =
  | ConnectStep
  | {
      readonly kind: 'subscribe';
      readonly client: ClientName;
      readonly subscriptions: readonly ModelSubscription[];
      readonly identifier: number | undefined;
    }
  | { readonly kind: 'unsubscribe'; readonly client: ClientName; readonly filters: readonly string[] }
  | {
      readonly kind: 'publish';
      readonly client: ClientName;
      readonly topic: string;
      readonly qos: QoS;
      readonly retain: boolean;
      readonly empty: boolean;
      readonly properties: PublishProperties;
    }
  /** A QoS 2 message whose exchange is broken by the loss of the connection, and ended after a reconnect. */
  | { readonly kind: 'broken-qos2'; readonly client: ClientName; readonly topic: string; readonly sentAgain: boolean }
  | { readonly kind: 'disconnect'; readonly client: ClientName; readonly withWill: boolean; readonly endsSession: boolean }
  | { readonly kind: 'drop'; readonly client: ClientName }
  /** Acknowledges nothing more on this connection. */
  | { readonly kind: 'mute'; readonly client: ClientName };

const client = fc.constantFrom(...CLIENTS);
const qos = fc.constantFrom<QoS>(0, 1, 2);
/** Every run has a root of its own, put before these. */
const topic = fc.constantFrom('a', 'a/b', 'a/b/c', 'b', 'a//', 'b/b');
const filter = fc.constantFrom('a', 'a/b', 'a/+', '+/b', '#', 'a/#', '+', '+/+', 'b', 'a//', 'a/+/+', '+/b/#');
/** Their topics are those of {@link SHARED_TOPICS}, which no other subscription of the model matches. */
export const SHARED_FILTERS = ['$share/one/shared/+', '$share/two/shared/x', '$share/two/shared/#'] as const;
const SHARED_TOPICS = ['shared/x', 'shared/y'] as const;

const will: Arbitrary<ModelWill> = fc.record({ topic, qos, retain: fc.boolean() });

const connect: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('connect'),
  client,
  version: fc.constantFrom<ProtocolVersion>(4, 5),
  cleanStart: fc.boolean(),
  outlives: fc.boolean(),
  will: fc.option(will, { nil: undefined, freq: 2 }),
  receiveMaximum: fc.option(fc.constantFrom(1, 2, 5), { nil: undefined, freq: 3 }),
});

const plainSubscription: Arbitrary<ModelSubscription> = fc.record({
  filter,
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom(0, 1, 2),
});
const sharedSubscription: Arbitrary<ModelSubscription> = fc.record({
  filter: fc.constantFrom(...SHARED_FILTERS),
  // One QoS for all members: which of them is chosen must not be seen in a delivery.
  qos: fc.constant(2),
  noLocal: fc.constant(false),
  retainAsPublished: fc.constant(false),
  retainHandling: fc.constant(0),
});

const subscribe: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('subscribe'),
  client,
  subscriptions: fc.uniqueArray(fc.oneof({ arbitrary: plainSubscription, weight: 4 }, sharedSubscription), {
    minLength: 1,
    maxLength: 3,
    selector: (one) => one.filter,
  }),
  identifier: fc.option(fc.constantFrom(1, 127, 128, 268_435_455), { nil: undefined }),
});

const unsubscribe: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('unsubscribe'),
  client,
  filters: fc.array(fc.oneof({ arbitrary: filter, weight: 4 }, fc.constantFrom(...SHARED_FILTERS)), {
    minLength: 1,
    maxLength: 3,
  }),
});

const properties: Arbitrary<PublishProperties> = fc.record(
  {
    payloadIsUtf8: fc.boolean(),
    messageExpirySec: fc.constant(1_000),
    contentType: fc.constantFrom('text/plain', ''),
    responseTopic: fc.constantFrom('answer/here'),
    correlationData: fc.constant(Uint8Array.of(0, 255)),
    userProperties: fc.constantFrom([['k', 'v']] as const, [['k', '1'], ['k', '2'], ['', '']] as const), // prettier-ignore
  },
  { requiredKeys: [] },
);

const publish: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('publish'),
  client,
  topic: fc.oneof({ arbitrary: topic, weight: 4 }, fc.constantFrom(...SHARED_TOPICS)),
  qos,
  retain: fc.boolean(),
  empty: fc.integer({ min: 0, max: 7 }).map((n) => n === 7),
  properties: fc.oneof({ arbitrary: fc.constant({}), weight: 2 }, properties),
});

const brokenQos2: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('broken-qos2'),
  client,
  topic,
  sentAgain: fc.boolean(),
});
const disconnect: Arbitrary<ModelStep> = fc.record({
  kind: fc.constant('disconnect'),
  client,
  withWill: fc.boolean(),
  endsSession: fc.boolean(),
});
const drop: Arbitrary<ModelStep> = fc.record({ kind: fc.constant('drop'), client });
const mute: Arbitrary<ModelStep> = fc.record({ kind: fc.constant('mute'), client });

/** What the clients of a run do, one after the other. */
export const arbitrarySteps: Arbitrary<readonly ModelStep[]> = fc
  .tuple(
    fc.array(connect, { minLength: 1, maxLength: 3 }),
    fc.array(
      fc.oneof(
        { arbitrary: connect, weight: 4 },
        { arbitrary: subscribe, weight: 5 },
        { arbitrary: publish, weight: 9 },
        { arbitrary: unsubscribe, weight: 1 },
        { arbitrary: disconnect, weight: 1 },
        { arbitrary: drop, weight: 1 },
        { arbitrary: mute, weight: 1 },
        { arbitrary: brokenQos2, weight: 1 },
      ),
      // Not only the short ones that fast-check prefers: they reach little.
      { maxLength: 30, size: 'max' },
    ),
  )
  .map(([first, rest]) => [...first, ...rest]);
