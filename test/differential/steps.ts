import type { ModelStep, ModelSubscription } from './model-step.ts';

/** With 5.0 and a clean session, but for what is given. */
export const connect = (client: 'A' | 'B', options: Partial<ModelStep & { kind: 'connect' }> = {}): ModelStep => ({
  kind: 'connect',
  client,
  version: 5,
  cleanStart: true,
  outlives: false,
  will: undefined,
  receiveMaximum: undefined,
  ...options,
});
/** Each to `a`, at QoS 0, without more, but for what is given. */
export const subscribe = (client: 'A' | 'B', ...subscriptions: readonly Partial<ModelSubscription>[]): ModelStep => ({
  kind: 'subscribe',
  client,
  identifier: undefined,
  subscriptions: subscriptions.map((one) => ({
    filter: 'a',
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    ...one,
  })),
});
/** To `a`, at QoS 1, but for what is given. */
export const publish = (client: 'A' | 'B', options: Partial<ModelStep & { kind: 'publish' }> = {}): ModelStep => ({
  kind: 'publish',
  client,
  topic: 'a',
  qos: 1,
  retain: false,
  empty: false,
  properties: {},
  ...options,
});
