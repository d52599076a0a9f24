import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { checkAttributes, type Attributes, type AttributesPatch } from './device-attributes.ts';
import { parseGroupPath } from './group-path.ts';

export interface Device {
  readonly id: DeviceId;
  readonly name?: string;
  /** The name of its device type. */
  readonly type?: string;
  /** The path of the group that it stands in; `/` unless somebody said otherwise. */
  readonly group: string;
  readonly attributes: Attributes;
  /** In byte order, each once. */
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface DeviceDraft {
  readonly id: DeviceId;
  readonly name?: string | undefined;
  /** A device type that there is. */
  readonly type?: string | undefined;
  /** Made, with all above it, where it is not there. */
  readonly group?: string | undefined;
  readonly attributes?: Attributes | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What is absent stays. */
export interface DevicePatch {
  /** Null takes it away. */
  readonly name?: string | null | undefined;
  /** Null takes it away. */
  readonly type?: string | null | undefined;
  readonly group?: string | undefined;
  /** Merged into those of the device (RFC 7396): null takes a field away. */
  readonly attributes?: AttributesPatch | undefined;
  /** All of them, from now on. */
  readonly tags?: readonly string[] | undefined;
}

/** Stands on a device that nobody added: it came by itself while access was open. */
export const OPEN_TAG = 'open';

export const MAX_TAGS = 16;
export const TAG_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;
export const MAX_NAME_LENGTH = 200;
export const TYPE_NAME_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;

/** @throws SelsynError `request.invalid` that says which field is wrong. Whether there is such a type is for the store. */
export function checkDraft(draft: Omit<DeviceDraft, 'id'>): void {
  const { name, tags = [], type, group, attributes } = draft;
  if (name !== undefined && (name.length === 0 || name.length > MAX_NAME_LENGTH)) {
    throw invalid('name', `a device's name has 1 to ${MAX_NAME_LENGTH} characters`);
  }
  if (tags.length > MAX_TAGS) throw invalid('tags', `a device has at most ${MAX_TAGS} tags`);
  if (!tags.every((tag) => TAG_PATTERN.test(tag))) throw invalid('tags', 'a tag is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (type !== undefined && !TYPE_NAME_PATTERN.test(type)) {
    throw invalid('type', 'the name of a device type is 1 to 64 of A-Z a-z 0-9 : _ . -');
  }
  if (group !== undefined) parseGroupPath(group);
  if (attributes !== undefined) checkAttributes(attributes);
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
