import { isDeviceId } from '../kernel/device-id.ts';
import { FAULTS, type ShadowFault } from './shadow-faults.ts';
import { findClientToken } from './client-token.ts';
import { rejectedText } from './shadow-answers.ts';
import type { ShadowKey } from './shadow-document.ts';

/**
 * The topics of shadows, as AWS IoT has them (AWS IoT Core developer guide, "Device Shadow MQTT topics"):
 *
 * ```
 * P = $aws/things/THING/shadow                   the classic one
 * P = $aws/things/THING/shadow/name/NAME         a named one
 * P/get  P/update  P/delete                      requests; answers on the same + /accepted, /rejected
 * P/update/delta  P/update/documents             events
 * ```
 */
export interface ShadowTopic extends ShadowKey {
  readonly operation: ShadowOperation;
}

export type ShadowOperation = 'get' | 'update' | 'delete';

const THINGS = '$aws/things/';
const SHADOW = '/shadow/';
const NAME = 'name/';
const SHADOW_NAME = /^[$A-Za-z0-9:_-]{1,64}$/;

/** Names of shadows; the classic one has none. */
export function isShadowName(text: string): boolean {
  return SHADOW_NAME.test(text);
}

/** Whether publishing to the topic asks for something. Asked for every topic: cheap for all others. */
export function isShadowTopic(topic: string): boolean {
  return topic.startsWith(THINGS) && parseShadowTopic(topic) !== undefined;
}

/** Undefined: it is no request; those of answers and events are none. */
export function parseShadowTopic(topic: string): ShadowTopic | undefined {
  if (!topic.startsWith(THINGS)) return undefined;
  const endOfThing = topic.indexOf('/', THINGS.length);
  if (endOfThing < 0 || !topic.startsWith(SHADOW, endOfThing)) return undefined;
  const device = topic.slice(THINGS.length, endOfThing);
  const rest = endOfThing + SHADOW.length;
  if (!topic.startsWith(NAME, rest)) return requestOf(device, '', topic.slice(rest));
  const endOfName = topic.indexOf('/', rest + NAME.length);
  if (endOfName < 0) return undefined;
  const shadow = topic.slice(rest + NAME.length, endOfName);
  return isShadowName(shadow) ? requestOf(device, shadow, topic.slice(endOfName + 1)) : undefined;
}

function requestOf(device: string, shadow: string, operation: string): ShadowTopic | undefined {
  if (operation !== 'get' && operation !== 'update' && operation !== 'delete') return undefined;
  return isDeviceId(device) ? { device, shadow, operation } : undefined;
}

/** Before `/get`, `/update`, `/delete`. */
export function shadowPrefix({ device, shadow }: ShadowKey): string {
  return shadow === '' ? `${THINGS}${device}/shadow` : `${THINGS}${device}/shadow/name/${shadow}`;
}

/** Deltas that a subscription waits for: of the shadow, or (undefined) of all named ones of the device. */
export interface DeltaInterest {
  readonly device: string;
  readonly shadow: string | undefined;
}

/**
 * Whether a subscription brings deltas of one device: only those are told to the shadows. One to many devices (`$aws/things/+/...`) is
 * an application's, which asks for what it wants to know.
 */
export function isShadowFilter(filter: string): boolean {
  return filter.startsWith(THINGS) && deltaInterests(filter).length > 0;
}

/** What of deltas a filter brings; none for those of many devices. */
export function deltaInterests(filter: string): readonly DeltaInterest[] {
  const [aws, things, device, shadow, ...rest] = filter.split('/', 10);
  if (aws !== '$aws' || things !== 'things' || device === undefined || !isDeviceId(device)) return [];
  if (shadow === '#') return [of(device, ''), of(device, undefined)];
  if (shadow !== 'shadow' && shadow !== '+') return [];
  const interests: DeltaInterest[] = [];
  if (matches(rest, ['update', 'delta'])) interests.push(of(device, ''));
  const name = namedInterest(rest);
  if (name !== undefined) interests.push(of(device, name === '+' ? undefined : name));
  return interests;
}

/** The name, or `+` for all. Undefined: it brings no delta of a named shadow. */
function namedInterest(levels: readonly string[]): string | undefined {
  const [first, name = '', ...rest] = levels;
  if (first === '#') return '+';
  if (first !== 'name' && first !== '+') return undefined;
  if (name === '#') return '+';
  if (name !== '+' && !isShadowName(name)) return undefined;
  return matches(rest, ['update', 'delta']) ? name : undefined;
}

/** Whether levels of a filter match those of a topic (MQTT 5, section 4.7.1). */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  for (const [index, level] of filter.entries()) {
    if (level === '#') return true;
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false;
  }
  return filter.length === topic.length;
}

function of(device: string, shadow: string | undefined): DeltaInterest {
  return { device, shadow };
}

/** A message for the one who asked. */
export interface ShadowAnswer {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** For a client with too many requests in flight. */
export function throttledShadow(topic: string, payload: Uint8Array, nowMs: number): ShadowAnswer {
  return refusal(topic, payload, FAULTS.throttled, nowMs);
}

/** Where a request could not be done. */
export function failedShadow(topic: string, payload: Uint8Array, nowMs: number): ShadowAnswer {
  return refusal(topic, payload, FAULTS.internal, nowMs);
}

function refusal(topic: string, payload: Uint8Array, fault: ShadowFault, nowMs: number): ShadowAnswer {
  return { topic: `${topic}/rejected`, payload: Buffer.from(rejectedText(fault, nowMs, findClientToken(payload))) };
}
