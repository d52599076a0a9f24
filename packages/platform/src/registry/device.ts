import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';

export interface Device {
  readonly id: DeviceId;
  readonly name?: string;
  /** In byte order, each once. */
  readonly tags: readonly string[];
  readonly createdAtMs: number;
}

export interface DeviceDraft {
  readonly id: DeviceId;
  readonly name?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** Stands on a device that nobody added: it came by itself while access was open. */
export const OPEN_TAG = 'open';

export const MAX_TAGS = 16;
export const TAG_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;
export const MAX_NAME_LENGTH = 200;

/** @throws SelsynError `request.invalid` that says which field is wrong. */
export function checkDraft(draft: DeviceDraft): void {
  const { name, tags = [] } = draft;
  if (name !== undefined && (name.length === 0 || name.length > MAX_NAME_LENGTH)) {
    throw new SelsynError('request.invalid', `a device's name has 1 to ${MAX_NAME_LENGTH} characters`, {
      details: { field: 'name' },
    });
  }
  if (tags.length > MAX_TAGS) {
    throw new SelsynError('request.invalid', `a device has at most ${MAX_TAGS} tags`, { details: { field: 'tags' } });
  }
  if (!tags.every((tag) => TAG_PATTERN.test(tag))) {
    throw new SelsynError('request.invalid', 'a tag is 1 to 64 of A-Z a-z 0-9 : _ . -', { details: { field: 'tags' } });
  }
}
