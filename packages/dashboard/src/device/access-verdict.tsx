import { useQuery } from '@tanstack/react-query';
import { fetchStatement, type AccessAnswer, type Decision } from '../api/device-access.ts';
import { useServices } from '../app/services.ts';
import { Badge } from '../ui/badge.tsx';
import styles from './access-tab.module.css';

/** Whether it is allowed, why, and all that had a say. */
export function AccessVerdict({ answer }: { readonly answer: AccessAnswer }) {
  const { allowed, reason, decidedBy, policies, variables } = answer;
  return (
    <div className={styles.verdict} data-testid="verdict" data-allowed={allowed}>
      <p className={styles.reason}>
        <Badge tone={allowed ? 'good' : 'bad'}>{allowed ? 'allowed' : 'denied'}</Badge> {reason}
      </p>
      {decidedBy === undefined ? (
        <p className={styles.note}>No statement says anything of it: what nothing allows is denied.</p>
      ) : (
        <DecidingStatement decision={decidedBy} />
      )}
      <dl className={styles.facts}>
        <div>
          <dt>Its policies, the widest first</dt>
          {policies.map((policy) => (
            <dd key={`${policy.name} ${policy.byKind} ${policy.byId}`}>
              <code>{policy.name}</code> by {policy.byKind} <code>{policy.byId}</code>
            </dd>
          ))}
          {policies.length === 0 && <dd>none</dd>}
        </div>
        {variables.length > 0 && (
          <div>
            <dt>Variables</dt>
            {variables.map(([name, value]) => (
              <dd key={name}>
                <code>{`\${${name}}`}</code> {value === null ? 'has no value' : <code>{value}</code>}
              </dd>
            ))}
          </div>
        )}
      </dl>
    </div>
  );
}

function DecidingStatement({ decision }: { readonly decision: Decision }) {
  const { client } = useServices();
  const { data } = useQuery({
    queryKey: ['statement', decision.policy, decision.statement],
    queryFn: ({ signal }) => fetchStatement(client, decision, signal),
  });
  return (
    <div className={styles.statement} data-testid="deciding-statement">
      <p>
        Statement {decision.statement + 1} of policy <code>{decision.policy}</code>{' '}
        {decision.effect === 'deny' ? 'denies' : 'allows'} <code>{decision.pattern}</code>
        {decision.expanded !== undefined && decision.expanded !== decision.pattern && (
          <>
            , here <code>{decision.expanded}</code>
          </>
        )}
      </p>
      {data !== undefined && <pre>{data}</pre>}
    </div>
  );
}
