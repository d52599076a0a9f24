import type { Device, DevicePatch } from '../api/devices.ts';
import { asObject, type Json } from '../api/json.ts';
import { mergePatch } from './attribute-paths.ts';

/** What of a device can be edited, as text. */
export interface DeviceForm {
  readonly name: string;
  readonly type: string;
  readonly group: string;
  readonly tags: string;
  readonly attributes: string;
}

export function formOf(device: Device): DeviceForm {
  return {
    name: device.name ?? '',
    type: device.type ?? '',
    group: device.group,
    tags: device.tags.join(' '),
    attributes: JSON.stringify(device.attributes, undefined, 2),
  };
}

/** What was changed; or why the attributes are none. */
export function devicePatch(device: Device, form: DeviceForm): { readonly patch?: DevicePatch; readonly fault?: string } {
  const attributes = jsonIn(form.attributes);
  if (typeof attributes === 'string') return { fault: attributes };
  const [before, changes] = [formOf(device), mergePatch(device.attributes, attributes)];
  const [name, type, group] = [form.name.trim(), form.type.trim(), form.group.trim()];
  const tags = form.tags.split(/[\s,]+/).filter((tag) => tag !== '');
  return {
    patch: {
      ...(name !== before.name && { name: name === '' ? null : name }),
      ...(type !== before.type && { type: type === '' ? null : type }),
      ...(group !== before.group && { group }),
      ...(tags.join(' ') !== before.tags && { tags }),
      ...(Object.keys(changes).length > 0 && { attributes: changes }),
    },
  };
}

/** An object, or what is wrong. */
function jsonIn(text: string): Json | string {
  try {
    return asObject(JSON.parse(text === '' ? '{}' : text), 'attributes');
  } catch (error) {
    return error instanceof SyntaxError ? error.message : 'Attributes are a JSON object, as {"site": "Kiel"}.';
  }
}
