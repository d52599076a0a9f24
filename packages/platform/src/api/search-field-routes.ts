import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { MAX_SHADOW_FIELD_LENGTH, MAX_SHADOW_FIELDS } from '../registry/shadow-field.ts';
import type { SearchableField } from '../shadows/search/declared-fields.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const fieldSchema = z
  .object({
    field: z.string(),
    createdAtMs: z.number(),
    filling: z.boolean().describe('Shadows of before are still being looked through: not all devices are found yet.'),
  })
  .describe('A field of shadows that filters may ask for.');

const params = z.object({
  field: z
    .string()
    .min(1)
    .max(MAX_SHADOW_FIELD_LENGTH)
    .describe('`shadow.reported.mode`, `shadow.desired.fan.speed`; of a named shadow `shadow.NAME.reported.mode`.'),
});

/** Fields of shadows by which devices are found: they belong to no group, so that only those declare them who may at the root. */
export function searchFieldRoutes({ searchFields }: Pick<ApiDependencies, 'searchFields'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/search/shadow-fields',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listShadowFields',
          summary: 'List the fields of shadows that filters may ask for',
          tags: ['shadows'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(fieldSchema) }).describe('In the order of their declaration.'),
            ...problems(),
          },
        },
      },
      async () => ({ items: (await searchFields.list()).map(shown) }),
    );

    app.put(
      '/search/shadow-fields/:field',
      {
        config: { permission: 'shadows:write', everything: true },
        schema: {
          operationId: 'declareShadowField',
          summary: 'Let filters ask for a field of shadows',
          description:
            `At most ${MAX_SHADOW_FIELDS}. Filters may ask for it from then on; what devices have already is looked through meanwhile, ` +
            'and what changes is found within a second. Nothing happens where it was declared already.',
          tags: ['shadows'],
          params,
          response: { 200: fieldSchema, ...problems('state.busy', 'thread.timeout') },
        },
      },
      async (request) => shown(await searchFields.declare(request.params.field, access(request).actor)),
    );

    app.delete(
      '/search/shadow-fields/:field',
      {
        config: { permission: 'shadows:write', everything: true },
        schema: {
          operationId: 'dropShadowField',
          summary: 'Let filters no longer ask for a field of shadows',
          description: 'Fleets and filters that ask for it are refused from then on.',
          tags: ['shadows'],
          params,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('No longer searchable.'),
            ...problems('search-field.not-found', 'state.busy', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        const { field } = request.params;
        if (!(await searchFields.drop(field, access(request).actor))) {
          throw new SelsynError('search-field.not-found', 'this field was not declared searchable', { details: { field } });
        }
        return await reply.code(204).send(null);
      },
    );
  };
}

function shown({ field, createdAtMs, isFilling }: SearchableField): z.input<typeof fieldSchema> {
  return { field, createdAtMs, filling: isFilling };
}
