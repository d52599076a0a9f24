import type { ModelStep } from './model-step.ts';
import { connect, publish, subscribe } from './steps.ts';

/** Where mosquitto 2.0 does other than Selsyn, and the clause by which Selsyn does as it does. The model is steered around these. */
export interface Difference {
  readonly name: string;
  readonly clause: string;
  /** Steps that show it, and the client whose observation differs. */
  readonly steps: readonly ModelStep[];
  readonly seenBy: string;
  /** A part of what is seen that only this server has. */
  readonly selsyn: RegExp;
  readonly mosquitto: RegExp;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'a subscription that is made again with other options is replaced; mosquitto keeps the old Retain As Published and No Local',
    clause: '[MQTT-3.8.4-3]',
    steps: [
      connect('A'),
      connect('B'),
      subscribe('A', { filter: 'a' }),
      subscribe('A', { filter: 'a', retainAsPublished: true }),
      publish('B', { retain: true }),
    ],
    seenBy: 'A',
    selsyn: /a QoS 0: message 4 retained$/,
    mosquitto: /a QoS 0: message 4$/,
  },
  {
    name: 'No Local holds for retained messages; mosquitto sends a client its own',
    clause: '[MQTT-3.8.3-3]',
    steps: [connect('A'), publish('A', { retain: true }), subscribe('A', { noLocal: true })],
    seenBy: 'A',
    selsyn: /SUBACK 0$/,
    mosquitto: /a QoS 0: message 1 retained$/,
  },
  {
    name: 'the will of a connection that is taken over is published, also where its session lives on; mosquitto drops it',
    clause: '[MQTT-3.1.4-3], [MQTT-3.1.2-8]',
    steps: [
      connect('B'),
      subscribe('B', {}),
      connect('A', { outlives: true, will: { topic: 'a', qos: 0, retain: false } }),
      connect('A', { outlives: true, cleanStart: false }),
    ],
    seenBy: 'B',
    selsyn: /will of A#1$/,
    mosquitto: /SUBACK 0$/,
  },
  {
    name: 'a shared subscription is sent no retained messages; mosquitto sends them',
    clause: 'MQTT 5.0, 4.8.2',
    steps: [
      connect('A'),
      publish('A', { topic: 'shared/x', retain: true }),
      subscribe('A', { filter: '$share/one/shared/+', qos: 2 }),
    ],
    seenBy: 'shared subscriptions',
    selsyn: /^$/,
    mosquitto: /^message 1 QoS 1$/,
  },
  {
    name: 'overlapping subscriptions of a client are sent one message with the highest QoS; mosquitto is set to send copies',
    clause: '[MQTT-3.3.4-2]',
    steps: [connect('A'), subscribe('A', { filter: 'a', qos: 0 }, { filter: '#', qos: 2 }), publish('A', { qos: 2 })],
    seenBy: 'A',
    selsyn: /SUBACK 0 2; published 0\n#1 a QoS 2: message 2$/,
    mosquitto: /#1 a QoS 0: message 2\n#1 a QoS 2: message 2$/,
  },
];
