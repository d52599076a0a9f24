import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { fetchTemplates, type Template } from '../api/provisioning.ts';
import { useServices } from '../app/services.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';

/** What a device becomes, from what it says of itself. */
export function TemplatesTab() {
  const { client } = useServices();
  const { data, error, refetch } = useQuery({
    queryKey: ['templates'],
    queryFn: ({ signal }) => fetchTemplates(client, signal),
  });
  return (
    <section aria-label="Templates">
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && (
        <EmptyNote
          title="No template yet"
          command={{ title: 'From a JSON file', command: 'npx selsyn provisioning template put NAME template.json' }}
        >
          A template says which id, type, group, policies and configuration a device gets when it enrols.
        </EmptyNote>
      )}
      {data !== undefined && data.length > 0 && (
        <DataTable label="Templates" columns={['Template', 'State', 'Devices become', 'In group', 'Policies', 'Who may enrol']}>
          {data.map((template) => (
            <TemplateRow key={template.name} template={template} />
          ))}
        </DataTable>
      )}
    </section>
  );
}

function TemplateRow({ template }: { readonly template: Template }) {
  return (
    <tr data-template={template.name}>
      <td data-label="Template">
        <span>
          <strong>{template.name}</strong>
          {template.description !== '' && <small>{template.description}</small>}
        </span>
      </td>
      <td data-label="State">
        <Badge tone={template.enabled ? 'good' : 'plain'}>{template.enabled ? 'enabled' : 'disabled'}</Badge>
      </td>
      <td data-label="Become">
        <span>
          <code>{template.deviceId}</code>
          {template.deviceType !== undefined && <small>of type {template.deviceType}</small>}
        </span>
      </td>
      <td data-label="In group">
        <span>
          <code>{template.deviceGroup}</code>
          {template.group !== '/' && (
            <small>
              <Link to="/" search={{ group: template.group }}>
                devices in {template.group}
              </Link>
            </small>
          )}
        </span>
      </td>
      <td data-label="Policies">{template.policies.length === 0 ? '–' : template.policies.join(', ')}</td>
      <td data-label="Who">
        <span>
          {template.manifestRequired ? 'serials of its manifest' : 'any serial number'}
          {template.hookUrl !== undefined && <small>asks {template.hookUrl}</small>}
        </span>
      </td>
    </tr>
  );
}
