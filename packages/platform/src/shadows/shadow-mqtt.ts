import type { Actor } from '../audit/actor.ts';
import type { DeviceRequest } from '../state/device-request.ts';
import type { ShadowKey } from './shadow-document.ts';
import { parseToken, parseUpdate } from './shadow-request.ts';
import { deleteRule, refuseRule, updateRule } from './shadow-rule-kinds.ts';
import type { ShadowLimits } from './shadow-rules.ts';
import { parseShadowTopic, type ShadowOperation } from './shadow-topics.ts';
import type { ChangeWork, GetWork } from './shadow-work.ts';

/** What a message asks. Undefined: its topic is none of shadows. */
export function workOf({ topic, payload, principalId }: DeviceRequest, limits: ShadowLimits): ChangeWork | GetWork | undefined {
  const parsed = parseShadowTopic(topic);
  return parsed && awsWork(parsed, parsed.operation, payload, limits, { author: authorOf(principalId), answerOn: topic });
}

/** As the history says it: a device, or a program that published for one, whose kind stands before its id (`access-key/AKSY…`). */
function authorOf(principalId: string): string {
  return principalId.includes('/') ? principalId.replace('/', ':') : `device:${principalId}`;
}

/** One operation of AWS's shadow service, by MQTT or by HTTP. */
export function awsWork(
  { device, shadow }: ShadowKey,
  operation: ShadowOperation,
  payload: Uint8Array,
  limits: ShadowLimits,
  from: { readonly author: string; readonly actor?: Actor | undefined; readonly answerOn?: string | undefined },
): ChangeWork | GetWork {
  const { author, actor, answerOn } = from;
  const common = { device, shadow, author, actor, refuseOn: answerOn };
  if (operation === 'update') {
    const request = parseUpdate(payload, limits);
    const { clientToken } = request;
    if (request.fault !== undefined) return { kind: 'change', ...common, clientToken, rule: refuseRule(request.fault) };
    return { kind: 'change', ...common, clientToken, expectedVersion: request.version, rule: updateRule(request.patch) };
  }
  const { clientToken, fault } = parseToken(payload);
  if (fault !== undefined) return { kind: 'change', ...common, clientToken, rule: refuseRule(fault) };
  if (operation === 'delete') return { kind: 'change', ...common, clientToken, rule: deleteRule };
  return { kind: 'get', device, shadow, clientToken, answerOn };
}
