import { isDeviceId } from '../kernel/device-id.ts';
import { encodeAws } from './command-answers.ts';
import { encodeReply } from './requests/request-payload.ts';

/**
 * The topics of commands, in the forms that devices know them in:
 *
 * ```
 *             to the device                                    from the device
 * selsyn      devices/D/commands/C                             devices/D/commands/C/answer
 *             devices/D/requests/R/answer                      devices/D/requests/R
 * aws         $aws/commands/things/D/executions/C/request/F    $aws/commands/things/D/executions/C/response/F
 *             …/C/response/accepted/F, …/C/response/rejected/F
 * thingsboard v1/devices/me/rpc/request/N                      v1/devices/me/rpc/response/N
 *             v1/devices/me/rpc/response/N                     v1/devices/me/rpc/request/N
 * ```
 * D: device id. C: command id. R: what the device likes. F: `json` or `cbor`. N: a number, of the command or what the device likes.
 *
 * aws: AWS IoT Device Management developer guide, "AWS IoT commands topics". thingsboard: "MQTT Device API reference", RPC.
 */
export type Flavour = 'selsyn' | 'aws-json' | 'aws-cbor' | 'thingsboard';

/** What a client publishes to the platform. */
export type DeviceTopic =
  | { readonly kind: 'answer'; readonly flavour: Flavour; readonly device: string | undefined; readonly command: string }
  /** `device` undefined: the client's own. */
  | { readonly kind: 'request'; readonly flavour: Flavour; readonly device: string | undefined; readonly request: string }
  /** Nothing that we understand, and nothing that may go to others: all devices share these topics. */
  | { readonly kind: 'nothing' };

const DEVICES = 'devices/';
const AWS = '$aws/commands/things/';
const THINGSBOARD_DEVICE = 'v1/devices/me/';
const THINGSBOARD = `${THINGSBOARD_DEVICE}rpc/`;
const MAX_REQUEST_LENGTH = 128;
const NUMBER = /^\d{1,15}$/;

/** Undefined: no topic of ours, or one that only the platform publishes to. */
export function parseDeviceTopic(topic: string): DeviceTopic | undefined {
  if (topic.startsWith(DEVICES)) return ofSelsyn(topic.split('/'));
  if (topic.startsWith(AWS)) return ofAws(topic.split('/'));
  return topic.startsWith(THINGSBOARD) ? ofThingsboard(topic.split('/')) : undefined;
}

/** Whether a client that publishes to it asks or answers the commands. O(length). */
export function isCommandTopic(topic: string): boolean {
  return parseDeviceTopic(topic) !== undefined;
}

/** `devices/D/commands/C/answer`, `devices/D/requests/R` */
function ofSelsyn(levels: readonly string[]): DeviceTopic | undefined {
  const [, device = '', kind, id = '', last] = levels;
  if (!isDeviceId(device) || id === '' || id.length > MAX_REQUEST_LENGTH) return undefined;
  if (kind === 'commands' && levels.length === 5 && last === 'answer')
    return { kind: 'answer', flavour: 'selsyn', device, command: id };
  if (kind === 'requests' && levels.length === 4) return { kind: 'request', flavour: 'selsyn', device, request: id };
  return undefined;
}

/** `$aws/commands/things/D/executions/C/response/F` */
function ofAws(levels: readonly string[]): DeviceTopic | undefined {
  const [, , , device = '', executions, command = '', response, format] = levels;
  if (levels.length !== 8 || executions !== 'executions' || response !== 'response' || command === '') return undefined;
  if (!isDeviceId(device) || (format !== 'json' && format !== 'cbor')) return undefined;
  return { kind: 'answer', flavour: `aws-${format}`, device, command };
}

/** `v1/devices/me/rpc/response/N`, `v1/devices/me/rpc/request/N` */
function ofThingsboard(levels: readonly string[]): DeviceTopic {
  const [, , , , kind, number = ''] = levels;
  if (levels.length !== 6 || !NUMBER.test(number)) return { kind: 'nothing' };
  if (kind === 'response') return { kind: 'answer', flavour: 'thingsboard', device: undefined, command: number };
  return kind === 'request'
    ? { kind: 'request', flavour: 'thingsboard', device: undefined, request: number }
    : { kind: 'nothing' };
}

/** A subscription by which a client hears of commands. */
export interface CommandFilter {
  readonly flavour: Flavour;
  /** Undefined: the client's own, of which the filter names no other. */
  readonly device: string | undefined;
}

/**
 * What a subscription brings of commands; undefined: nothing. Wildcards in the first level bring none: who subscribes to everything
 * looks on.
 */
export function parseCommandFilter(filter: string): CommandFilter | undefined {
  if (filter.startsWith(DEVICES)) {
    const [, device = '', ...rest] = filter.split('/');
    return covers(rest, ['commands', '+']) ? filterOf('selsyn', device) : undefined;
  }
  if (filter.startsWith(AWS)) {
    const [, , , device = '', ...rest] = filter.split('/');
    // `request/+` and `#` bring both forms: JSON is what any device reads.
    if (covers(rest, ['executions', '+', 'request', 'json'])) return filterOf('aws-json', device);
    return covers(rest, ['executions', '+', 'request', 'cbor']) ? filterOf('aws-cbor', device) : undefined;
  }
  if (!filter.startsWith(THINGSBOARD_DEVICE)) return undefined;
  return covers(filter.split('/').slice(3), ['rpc', 'request', '+']) ? { flavour: 'thingsboard', device: undefined } : undefined;
}

/** Whether the platform wants to hear of the subscription. */
export function isCommandFilter(filter: string): boolean {
  return parseCommandFilter(filter) !== undefined;
}

function filterOf(flavour: Flavour, device: string): CommandFilter | undefined {
  if (device === '+' || device === '#') return { flavour, device: undefined };
  return isDeviceId(device) ? { flavour, device } : undefined;
}

/** Whether the levels of a filter bring the topics of these; `+` in `wanted` stands for any one level, so it takes a wildcard there. */
function covers(levels: readonly string[], wanted: readonly string[]): boolean {
  for (const [index, level] of wanted.entries()) {
    const asked = levels[index];
    if (asked === '#') return true;
    if (asked !== '+' && asked !== level) return false;
  }
  return levels.length === wanted.length || (levels.length === wanted.length + 1 && levels.at(-1) === '#');
}

export function commandTopic(flavour: Flavour, { device, id, number }: CommandPlace): string {
  switch (flavour) {
    case 'selsyn':
      return `${DEVICES}${device}/commands/${id}`;
    case 'aws-json':
    case 'aws-cbor':
      return `${AWS}${device}/executions/${id}/request/${flavour.slice(4)}`;
    case 'thingsboard':
      return `${THINGSBOARD}request/${number}`;
  }
}

export interface CommandPlace {
  readonly device: string;
  readonly id: string;
  readonly number: number;
}

/** Where a device answers a command; with MQTT 5 the message names it (response topic). */
export function answerTopic({ device, id }: Pick<CommandPlace, 'device' | 'id'>): string {
  return `${DEVICES}${device}/commands/${id}/answer`;
}

/** Where AWS's devices hear what became of their answer. */
export function verdictTopic(format: 'json' | 'cbor', verdict: 'accepted' | 'rejected', device: string, command: string): string {
  return `${AWS}${device}/executions/${command}/response/${verdict}/${format}`;
}

/** Where the answer to a request of a device goes. */
export function requestAnswerTopic(topic: DeviceTopic & { readonly kind: 'request' }): string {
  return topic.flavour === 'thingsboard'
    ? `${THINGSBOARD}response/${topic.request}`
    : `${DEVICES}${topic.device}/requests/${topic.request}/answer`;
}

/** A message to the client that asked, and to no other. */
export interface TopicMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/**
 * What a client is told that has asked too much at once. Undefined: nothing is to be told, since nothing is to be refused: answers to
 * commands are what the platform itself has asked for, and a device that comes back may have many of them.
 */
export function throttledCommand(topic: string): TopicMessage | undefined {
  const parsed = parseDeviceTopic(topic);
  if (parsed?.kind !== 'request') return undefined;
  const payload = encodeReply(parsed, { failure: 'too-many', reason: 'too many requests are under way: try again later' });
  return { topic: requestAnswerTopic(parsed), payload };
}

/** What a client is told where its request could not be done at all. Undefined: there is no topic for it. */
export function failedCommand(topic: string): TopicMessage | undefined {
  const parsed = parseDeviceTopic(topic);
  if (parsed === undefined) return undefined;
  if (parsed.kind === 'request') {
    const payload = encodeReply(parsed, { failure: 'unavailable', reason: 'the request could not be answered: try again later' });
    return { topic: requestAnswerTopic(parsed), payload };
  }
  if (parsed.kind !== 'answer') return undefined;
  const { flavour, device, command } = parsed;
  if ((flavour !== 'aws-json' && flavour !== 'aws-cbor') || device === undefined) return undefined;
  const body = { error: 'InternalFailure', errorMessage: 'the answer could not be taken: try again later', executionId: command };
  return {
    topic: verdictTopic(flavour === 'aws-json' ? 'json' : 'cbor', 'rejected', device, command),
    payload: encodeAws(flavour, body),
  };
}
