import { SelsynError } from './errors.ts';

/** `[A-Za-z0-9:_.-]{1,128}`: what AWS calls a thing name. */
export type DeviceId = string & { readonly brand: 'DeviceId' };

const PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;

export function isDeviceId(text: string): text is DeviceId {
  return PATTERN.test(text);
}

/** @throws SelsynError `device.invalid-id` */
export function parseDeviceId(text: string): DeviceId {
  if (isDeviceId(text)) return text;
  throw new SelsynError('device.invalid-id', 'a device id is 1 to 128 of A-Z a-z 0-9 : _ . -', {
    details: { id: text.slice(0, 200) },
  });
}
