import { SelsynError } from '../../kernel/errors.ts';
import { TYPE_NAME_PATTERN } from '../../registry/device.ts';
import { parseGroupPath } from '../../registry/group-path.ts';
import type { JsonObject } from '../shadow-document.ts';

/** Whose devices have a default: those of a group and everywhere below it, or those of a type. */
export type DefaultTarget = { readonly kind: 'group'; readonly path: string } | { readonly kind: 'type'; readonly name: string };

/** What the devices of a target have in the desired section of a shadow unless they, or something nearer to them, have their own. */
export interface ShadowDefault {
  readonly target: DefaultTarget;
  /** '' is the classic one. */
  readonly shadow: string;
  /** Null takes away what comes from farther: from the type, from the groups above. */
  readonly desired: JsonObject;
  /** From 1, one more by each change. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** All over: they are in memory. */
export const MAX_SHADOW_DEFAULTS = 10_000;
/** Of one default, and of all that a device inherits in one shadow. */
export const MAX_INHERITED_BYTES = 8_192;

/** `group:/acme` or `type:boiler`. */
export function targetText(target: DefaultTarget): string {
  return target.kind === 'group' ? `group:${target.path}` : `type:${target.name}`;
}

/** @throws SelsynError `request.invalid` */
export function parseTarget(text: string): DefaultTarget {
  if (text.startsWith('group:')) return { kind: 'group', path: parseGroupPath(text.slice('group:'.length)) };
  const name = text.slice('type:'.length);
  if (text.startsWith('type:') && TYPE_NAME_PATTERN.test(name)) return { kind: 'type', name };
  throw new SelsynError('request.invalid', 'a default is of group:/path or of type:name', { details: { field: 'target' } });
}
