import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { scopeOf } from '../people/caller.ts';
import { TYPE_NAME_PATTERN } from '../registry/device.ts';
import {
  HARDWARE_VERSION_PATTERN,
  MAX_DESCRIPTION,
  MAX_HARDWARE_VERSIONS,
  MAX_METRIC_NAME,
  MAX_METRICS,
  MAX_SERIES,
  MAX_SHADOW_SCHEMAS,
  MAX_UNIT,
  SHADOW_NAME_PATTERN,
  type DeviceType,
} from '../registry/device-type.ts';
import { isEverything } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const metricSchema = z
  .strictObject({
    metric: z.string().min(1).max(MAX_METRIC_NAME),
    unit: z.string().min(1).max(MAX_UNIT).optional().describe('As people write it: `°C`.'),
    type: z.enum(['number', 'boolean', 'text']),
    min: z.number().optional().describe('Of a number; inclusive.'),
    max: z.number().optional().describe('Of a number; inclusive.'),
  })
  .describe('One metric that devices of the type send.');

const schemaField = z.record(z.string(), z.unknown());
const shadowSchemaSchema = z
  .strictObject({
    shadow: z
      .string()
      .regex(SHADOW_NAME_PATTERN, 'must be 1 to 64 of $ A-Z a-z 0-9 : _ -')
      .optional()
      .describe('Absent: the classic one.'),
    desired: schemaField.optional().describe('What is desired, inherited values included, must fit, else it is refused.'),
    reported: schemaField
      .optional()
      .describe('A device is believed all the same; `/devices/{id}/shadow-origin` shows what does not fit.'),
  })
  .describe('JSON Schemas (draft 2020-12, or draft 7 by `$schema`) of one of the shadows of devices of the type.');

const fields = {
  description: z.string().max(MAX_DESCRIPTION),
  telemetry: z.array(metricSchema).max(MAX_METRICS),
  hardwareVersions: z
    .array(z.string().regex(HARDWARE_VERSION_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . + -'))
    .max(MAX_HARDWARE_VERSIONS)
    .describe('A device names its own in the attribute `hardwareVersion`, and it must be one of these. Empty: any.'),
  codec: z.string().min(1).max(64).describe('The decoder that reads the payloads; absent: the platform’s own JSON.'),
  shadowSchemas: z.array(shadowSchemaSchema).max(MAX_SHADOW_SCHEMAS),
  maxSeries: z
    .int()
    .min(0)
    .max(MAX_SERIES)
    .describe('Series (one metric of one device) that its devices may have together; 0: `cardinality.maxSeriesPerType`.'),
  maxSeriesPerDevice: z
    .int()
    .min(0)
    .max(MAX_SERIES)
    .describe('Series that one of its devices may have; 0: `cardinality.maxSeriesPerDevice`.'),
};

const name = z.string().regex(TYPE_NAME_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -');

const typeSchema = z
  .object({
    name: z.string(),
    description: fields.description.optional(),
    telemetry: z.array(metricSchema),
    hardwareVersions: z.array(z.string()),
    codec: z.string().optional(),
    codecMissing: z
      .literal(true)
      .optional()
      .describe('There is no decoder of this name: all that its devices send are dead letters. Not in lists.'),
    maxSeries: z.number().optional(),
    maxSeriesPerDevice: z.number().optional(),
    shadowSchemas: z.array(shadowSchemaSchema),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
    devices: z
      .number()
      .optional()
      .describe('Devices of this type that the caller sees. In lists only for those who see all devices.'),
  })
  .describe('A device type.');

const draftSchema = z.strictObject({
  name,
  description: fields.description.optional(),
  telemetry: fields.telemetry.optional(),
  hardwareVersions: fields.hardwareVersions.optional(),
  codec: fields.codec.optional(),
  maxSeries: fields.maxSeries.optional(),
  maxSeriesPerDevice: fields.maxSeriesPerDevice.optional(),
  shadowSchemas: fields.shadowSchemas.optional(),
});

const patchSchema = draftSchema
  .omit({ name: true })
  .extend({
    codec: z.string().max(64).optional().describe('The decoder that reads the payloads; empty: the platform’s own JSON.'),
  })
  .describe('What is absent stays.');
const params = z.object({ name: z.string().min(1).max(128).describe('The name of the device type.') });
const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

/** Device types: they belong to all groups, so that only those change them who may at the root. */
export function deviceTypeRoutes({
  deviceTypes,
  devices,
  decoders,
}: Pick<ApiDependencies, 'deviceTypes' | 'devices' | 'decoders'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/device-types',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'listDeviceTypes',
          summary: 'List device types',
          tags: ['devices'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(typeSchema) }).describe('Ordered by name.'), ...problems() },
        },
      },
      async (request) => {
        const seesAll = isEverything(scopeOf(access(request).caller, 'devices:read'));
        const types = await deviceTypes.list();
        return { items: types.map(({ devices: count, ...type }) => shown(type, seesAll ? count : undefined)) };
      },
    );

    app.post(
      '/device-types',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'addDeviceType',
          summary: 'Add a device type',
          tags: ['devices'],
          body: draftSchema,
          response: { 201: typeSchema, ...problems('device-type.exists', ...BODY) },
        },
      },
      async (request, reply) => {
        if (request.body.codec !== undefined) await decoders.ensureKnown(request.body.codec);
        const type = await deviceTypes.create(request.body, access(request).actor);
        return await reply
          .code(201)
          .header('Location', `/api/v1/device-types/${encodeURIComponent(type.name)}`)
          .send(shown(type, 0));
      },
    );

    app.get(
      '/device-types/:name',
      {
        config: { permission: 'types:read' },
        schema: {
          operationId: 'getDeviceType',
          summary: 'Show a device type',
          tags: ['devices'],
          params,
          querystring: z.strictObject({}),
          response: { 200: typeSchema, ...problems('device-type.not-found') },
        },
      },
      async (request) => {
        const { devices: all, ...type } = await deviceTypes.get(request.params.name);
        const scope = scopeOf(access(request).caller, 'devices:read');
        const filter = `type = ${JSON.stringify(type.name)}`;
        const count = isEverything(scope) ? all : await devices.count({ filter, scope });
        const isMissing = type.codec !== undefined && !(await decoders.isKnown(type.codec));
        return { ...shown(type, count), ...(isMissing && { codecMissing: true as const }) };
      },
    );

    app.patch(
      '/device-types/:name',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'updateDeviceType',
          summary: 'Change a device type',
          description: 'Devices that are of the type stay as they are, also where they no longer fit.',
          tags: ['devices'],
          params,
          body: patchSchema,
          response: { 200: typeSchema, ...problems('device-type.not-found', ...BODY) },
        },
      },
      async (request) => {
        const { codec = '' } = request.body;
        if (codec !== '') await decoders.ensureKnown(codec);
        return shown(await deviceTypes.update(request.params.name, request.body, access(request).actor));
      },
    );

    app.delete(
      '/device-types/:name',
      {
        config: { permission: 'types:write', everything: true },
        schema: {
          operationId: 'removeDeviceType',
          summary: 'Remove a device type',
          tags: ['devices'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('device-type.not-found', 'device-type.in-use') },
        },
      },
      async (request, reply) => {
        await deviceTypes.remove(request.params.name, access(request).actor);
        return await reply.code(204).send(null);
      },
    );
  };
}

function shown(type: DeviceType, devices?: number) {
  return {
    ...type,
    telemetry: type.telemetry.map((metric) => ({ ...metric })),
    hardwareVersions: [...type.hardwareVersions],
    shadowSchemas: type.shadowSchemas.map(({ shadow, desired, reported }) => ({
      ...(shadow !== undefined && shadow !== '' && { shadow }),
      ...(desired !== undefined && { desired: { ...desired } }),
      ...(reported !== undefined && { reported: { ...reported } }),
    })),
    ...(devices !== undefined && { devices }),
  };
}
