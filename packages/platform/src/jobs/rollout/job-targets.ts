import { isDeviceId, type DeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { TYPE_NAME_PATTERN } from '../../registry/device.ts';
import { FLEET_ID_PATTERN } from '../../registry/fleet-store.ts';
import { isGroupPath, isWithin, lineageOf, ROOT_GROUP } from '../../registry/group-path.ts';

/** What a job is meant for. */
export type JobTarget =
  | { readonly kind: 'device'; readonly id: DeviceId }
  | { readonly kind: 'group'; readonly path: string }
  | { readonly kind: 'fleet'; readonly id: string }
  | { readonly kind: 'type'; readonly name: string };

export const MAX_TARGETS = 1_000;

/** @throws SelsynError `request.invalid` */
export function parseTarget(text: string): JobTarget {
  const colon = text.indexOf(':');
  const [kind, name] = [text.slice(0, colon), text.slice(colon + 1)];
  if (kind === 'device' && isDeviceId(name)) return { kind, id: name };
  if (kind === 'group' && isGroupPath(name)) return { kind, path: name };
  if (kind === 'fleet' && FLEET_ID_PATTERN.test(name)) return { kind, id: name };
  if (kind === 'type' && TYPE_NAME_PATTERN.test(name)) return { kind, name };
  throw new SelsynError(
    'request.invalid',
    `${text.slice(0, 200)} is no target: device:ID, group:/PATH, fleet:ID and type:NAME are`,
    { details: { field: 'targets' } },
  );
}

export function targetText(target: JobTarget): string {
  switch (target.kind) {
    case 'device':
      return `device:${target.id}`;
    case 'group':
      return `group:${target.path}`;
    case 'fleet':
      return `fleet:${target.id}`;
    case 'type':
      return `type:${target.name}`;
  }
}

/** Each once, in their order. */
export function parseTargets(texts: readonly string[]): readonly JobTarget[] {
  return [...new Set(texts)].map(parseTarget);
}

/** The nearest group that all of the groups are in. */
export function commonGroup(paths: readonly string[]): string {
  const [first, ...others] = paths;
  if (first === undefined) return ROOT_GROUP;
  return lineageOf(first).findLast((path) => others.every((other) => isWithin(other, path))) ?? ROOT_GROUP;
}
