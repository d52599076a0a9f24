import { checkDraft, type Device, type DevicePatch } from './device.ts';
import { checkAttributes, mergeAttributes } from './device-attributes.ts';

/** The device as the patch makes it; the same object when nothing changes. @throws SelsynError `request.invalid` */
export function patched(device: Device, patch: DevicePatch, nowMs: number): Device {
  const { name, type, ...kept } = device;
  const newName = patch.name === undefined ? name : (patch.name ?? undefined);
  const newType = patch.type === undefined ? type : (patch.type ?? undefined);
  const attributes = patch.attributes === undefined ? device.attributes : mergeAttributes(device.attributes, patch.attributes);
  const after: Device = {
    ...kept,
    ...(newName !== undefined && { name: newName }),
    ...(newType !== undefined && { type: newType }),
    group: patch.group ?? device.group,
    attributes,
    tags: patch.tags === undefined ? device.tags : [...new Set(patch.tags)].sort(),
  };
  checkDraft({ name: newName, type: newType, group: after.group, tags: after.tags });
  checkAttributes(attributes);
  return isSame(device, after) ? device : { ...after, updatedAtMs: nowMs };
}

function isSame(a: Device, b: Device): boolean {
  return (
    a.name === b.name &&
    a.type === b.type &&
    a.group === b.group &&
    a.tags.join(',') === b.tags.join(',') &&
    JSON.stringify(a.attributes) === JSON.stringify(b.attributes)
  );
}
