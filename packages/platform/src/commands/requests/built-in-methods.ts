import type { Clock } from '../../kernel/clock.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import type { Device } from '../../registry/device.ts';
import type { DeviceStore } from '../../registry/device-store.ts';
import type { Question, Reply } from './request-payload.ts';

export interface BuiltInDependencies {
  readonly clock: Clock;
  readonly devices: Pick<DeviceStore, 'find'>;
}

type Method = (device: string, question: Question, dependencies: BuiltInDependencies) => Promise<Reply>;

/** What the platform itself answers. A hook of the same name comes first. */
export const BUILT_IN_METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['getTime', getTime],
  // As ThingsBoard's examples call it.
  ['getCurrentTime', getTime],
  ['getAttributes', getAttributes],
  ['getDevice', getDevice],
]);

/** `{"timeMs":1700000000000,"time":"2023-11-14T22:13:20.000Z"}` */
async function getTime(_device: string, _question: Question, { clock }: BuiltInDependencies): Promise<Reply> {
  const timeMs = clock.now();
  return { payload: { timeMs, time: new Date(timeMs).toISOString() } };
}

/** The attributes of the device; with `{"keys":["a","b"]}` only these, as far as there are any. */
async function getAttributes(device: string, { params }: Question, dependencies: BuiltInDependencies): Promise<Reply> {
  const keys = typeof params === 'object' && params !== null && 'keys' in params ? params.keys : undefined;
  if (keys !== undefined && !(Array.isArray(keys) && keys.every((key) => typeof key === 'string')))
    return { failure: 'invalid', reason: 'params.keys must be a list of texts' };
  const found = await find(device, dependencies);
  if (found === undefined) return unknownDevice(device);
  const { attributes } = found;
  if (keys === undefined) return { payload: attributes };
  return { payload: Object.fromEntries(Object.entries(attributes).filter(([key]) => keys.includes(key))) };
}

/** What the registry knows of the device. */
async function getDevice(device: string, _question: Question, dependencies: BuiltInDependencies): Promise<Reply> {
  const found = await find(device, dependencies);
  if (found === undefined) return unknownDevice(device);
  const { id, name, type, group, tags, attributes } = found;
  return { payload: { id, ...(name !== undefined && { name }), ...(type !== undefined && { type }), group, tags, attributes } };
}

async function find(device: string, { devices }: BuiltInDependencies): Promise<Device | undefined> {
  return isDeviceId(device) ? await devices.find(device) : undefined;
}

function unknownDevice(device: string): Reply {
  return { failure: 'unavailable', reason: `there is no device ${device}` };
}
