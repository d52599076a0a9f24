import type { Actor } from '../../audit/actor.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { SHADOW_NAME_PATTERN } from '../../registry/device-type.ts';
import { parseFilter } from '../../registry/filter/parse-filter.ts';
import { FLEET_ID_PATTERN } from '../../registry/fleet-store.ts';
import { parseGroupPath } from '../../registry/group-path.ts';
import { TYPE_NAME_PATTERN } from '../../registry/device.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import type { JsonObject } from '../shadow-document.ts';

/** Devices that are named one by one. */
export const MAX_NAMED_DEVICES = 10_000;
/** Some 3 % of a core; what devices send is hardly later for it. */
export const DEFAULT_RATE_PER_SEC = 1_000;
export const MAX_RATE_PER_SEC = 10_000;
/** The failures beyond are counted, not kept. */
export const MAX_FAILURES_KEPT = 100_000;
/** All shadows that have a default: of a group that was moved. */
export const ALL_SHADOWS = '*';

/** A change of desired in the shadows of many devices. */
export interface ShadowUpdateDraft {
  /** `group:/path`, `fleet:name`, `type:name`, `filter:…`, or the ids of devices. */
  readonly target: string | readonly string[];
  /** '' or absent: the classic one. */
  readonly shadow?: string | undefined;
  /** Merged into what each device has; null takes a key away. */
  readonly desired: JsonObject;
  /** A shadow that has another version is left as it is, and the device is among the failures. */
  readonly expectedVersion?: number | undefined;
  readonly ratePerSec?: number | undefined;
}

export type ShadowUpdateState = 'running' | 'done' | 'cancelled';

/** An update of many shadows, as far as it has come. */
export interface ShadowUpdate {
  readonly id: string;
  /** `defaults`: made by the server because a default was changed or a group was moved. */
  readonly kind: 'desired' | 'defaults';
  readonly state: ShadowUpdateState;
  /** As it was asked for; `devices` where they were named one by one. */
  readonly target: string;
  /** '' is the classic one, `*` all that have a default. */
  readonly shadow: string;
  readonly desired: JsonObject;
  readonly expectedVersion?: number;
  readonly ratePerSec: number;
  readonly startedBy: Actor;
  /** The devices that were meant when it was made: `done`, `unchanged`, `failed`, and those that are left. */
  readonly total: number;
  readonly done: number;
  /** They had it already, or are no more. */
  readonly unchanged: number;
  readonly failed: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly finishedAtMs?: number;
}

/** A device that an update could not be applied to. */
export interface ShadowUpdateFailure {
  readonly device: string;
  readonly code: string;
  readonly reason: string;
}

/** How fast an update is, and how long it will take. */
export interface UpdateProgress {
  readonly left: number;
  /** Devices a second until now. */
  readonly observedPerSec: number;
  /** Undefined: it is over. */
  readonly etaMs: number | undefined;
}

export function progressOf(update: ShadowUpdate): UpdateProgress {
  const dealtWith = update.done + update.unchanged + update.failed;
  const left = update.total - dealtWith;
  const passedMs = Math.max(0, update.updatedAtMs - update.createdAtMs);
  const observedPerSec = passedMs === 0 ? 0 : Math.round((dealtWith * 1000) / passedMs);
  if (update.state !== 'running') return { left, observedPerSec, etaMs: undefined };
  return { left, observedPerSec, etaMs: Math.ceil((left * 1000) / Math.max(1, observedPerSec || update.ratePerSec)) };
}

/** What a target means. */
export type UpdateTarget =
  | { readonly kind: 'group'; readonly path: string }
  | { readonly kind: 'fleet'; readonly id: string }
  | { readonly kind: 'type'; readonly name: string }
  | { readonly kind: 'filter'; readonly filter: string }
  | { readonly kind: 'devices'; readonly ids: readonly string[] };

/** @throws SelsynError `request.invalid` */
export function parseUpdateTarget(target: string | readonly string[]): UpdateTarget {
  if (typeof target !== 'string') return { kind: 'devices', ids: checkedIds(target) };
  const [kind, rest] = [target.slice(0, target.indexOf(':')), target.slice(target.indexOf(':') + 1)];
  if (kind === 'group') return { kind, path: parseGroupPath(rest) };
  if (kind === 'fleet' && FLEET_ID_PATTERN.test(rest)) return { kind, id: rest };
  if (kind === 'type' && TYPE_NAME_PATTERN.test(rest)) return { kind, name: rest };
  if (kind === 'filter') {
    parseFilter(rest);
    return { kind, filter: rest };
  }
  throw invalid('target', 'a target is group:/path, fleet:name, type:name, filter:…, or a list of device ids');
}

/** @throws SelsynError `request.invalid` */
export function checkShadowName(shadow: string): void {
  if (shadow !== '' && !SHADOW_NAME_PATTERN.test(shadow))
    throw invalid('shadow', 'the name of a shadow is 1 to 64 of A-Z a-z 0-9 : _ - $');
}

function checkedIds(ids: readonly string[]): readonly string[] {
  const all = [...new Set(ids)];
  if (all.length === 0 || all.length > MAX_NAMED_DEVICES)
    throw invalid(
      'target',
      `1 to ${MAX_NAMED_DEVICES} devices can be named one by one; for more there are groups, fleets and filters`,
    );
  const wrong = all.find((id) => !isDeviceId(id));
  if (wrong !== undefined) throw invalid('target', `${JSON.stringify(wrong.slice(0, 140))} is not a device id`);
  return all;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
