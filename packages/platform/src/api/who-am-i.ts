import { z } from 'zod';
import type { Caller } from '../people/caller.ts';
import { PERMISSIONS } from '../people/permissions.ts';
import { permissionField } from './people-schemas.ts';

export const whoAmISchema = z
  .object({
    kind: z.enum(['user', 'api-key', 'access-key', 'device', 'system']),
    id: z.string(),
    name: z.string(),
    grants: z
      .array(
        z.object({
          group: z.string().describe('Holds at this node and below it.'),
          role: z.string().optional(),
          permissions: z.array(permissionField),
        }),
      )
      .describe('All that may be done, and where.'),
  })
  .describe('Who sends this request.');

export function whoAmI({ actor, grants }: Caller): z.output<typeof whoAmISchema> {
  return {
    kind: actor.kind,
    id: actor.id,
    name: actor.name,
    grants: grants.map(({ group, role, permissions }) => ({
      group,
      ...(role !== undefined && { role }),
      permissions: PERMISSIONS.filter((permission) => permissions.has(permission)),
    })),
  };
}
