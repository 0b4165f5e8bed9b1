"""the first schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

# The words of a text, each marked with its account: one GIN index then serves every account's own
# search, and another account's common word costs nobody anything.
WORDS = """
CREATE FUNCTION account_words(account_id bigint, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_to_tsvector(array_agg(DISTINCT account_id || ':' || left(word, 100))),
                  ''::tsvector)
  FROM unnest(tsvector_to_array(to_tsvector('simple'::regconfig, body))) AS word
$$
"""

# What finds the texts that have every word of `wanted`, as the beginning of one of theirs.
QUERY = r"""
CREATE FUNCTION account_query(account_id bigint, wanted text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_agg(
    '''' || replace(replace(account_id || ':' || left(word, 100), '\', '\\'), '''', '''''')
         || ''':*', ' & ')::tsquery
  FROM unnest(tsvector_to_array(to_tsvector('simple'::regconfig, wanted))) AS word
$$
"""


def upgrade() -> None:
    op.execute(WORDS)
    op.execute(QUERY)
    op.create_table('account',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('public_id', sa.Uuid(), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('username_key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('greeting', sa.Text(), nullable=True),
    sa.Column('password_hash', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('is_admin', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('public_id', name=op.f('uq_account_public_id')),
    sa.UniqueConstraint('username_key', name=op.f('uq_account_username_key'))
    )
    op.create_index('ix_account_erased', 'account', ['id'], unique=False, postgresql_where=sa.text('erased_at IS NOT NULL'))
    op.create_table('bot',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('username', sa.Text(), nullable=True),
    sa.Column('paced_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('held_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('hold_reason', sa.Text(), nullable=True),
    sa.Column('failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('flooded_chat', sa.BigInteger(), nullable=True),
    sa.Column('flooded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('poller', sa.Text(), nullable=True),
    sa.Column('polling_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bot'))
    )
    op.create_table('heartbeat',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_heartbeat'))
    )
    op.create_table('hit',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('limit', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hit'))
    )
    op.create_index(op.f('ix_hit_at'), 'hit', ['at'], unique=False)
    op.create_index(op.f('ix_hit_limit_subject_at'), 'hit', ['limit', 'subject', 'at'], unique=False)
    op.create_table('poison_update',
    sa.Column('update_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('shape', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('update_id', name=op.f('pk_poison_update'))
    )
    op.create_table('audit_event',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('network', sa.Text(), server_default='', nullable=False),
    sa.Column('request_id', sa.Text(), server_default='', nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_audit_event_account_id_account'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['actor_id'], ['account.id'], name=op.f('fk_audit_event_actor_id_account'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_event'))
    )
    op.create_index(op.f('ix_audit_event_account_id_id'), 'audit_event', ['account_id', 'id'], unique=False)
    op.create_index(op.f('ix_audit_event_actor_id'), 'audit_event', ['actor_id'], unique=False)
    op.create_index(op.f('ix_audit_event_at'), 'audit_event', ['at'], unique=False)
    op.create_table('chat',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('telegram_id', sa.BigInteger(), nullable=False),
    sa.Column('title', sa.Text(), server_default='', nullable=False),
    sa.Column('username', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('linked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('unlinked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('blocked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_chat_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_chat'))
    )
    op.create_index(op.f('ix_chat_account_id'), 'chat', ['account_id'], unique=False)
    op.create_index('uq_chat_account', 'chat', ['account_id'], unique=True, postgresql_where=sa.text('unlinked_at IS NULL'))
    op.create_index('uq_chat_telegram', 'chat', ['telegram_id'], unique=True, postgresql_where=sa.text('unlinked_at IS NULL'))
    op.create_table('known_network',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('network', sa.Text(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_known_network_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_id', 'network', name=op.f('pk_known_network'))
    )
    op.create_table('lane',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('next_seq', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('wake_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_no', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('chat_id', sa.BigInteger(), nullable=True),
    sa.Column('paced_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('hold_reason', sa.Text(), server_default='no_chat', nullable=True),
    sa.Column('quota_day', sa.DateTime(timezone=True), nullable=True),
    sa.Column('quota_used', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_lane_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lane')),
    sa.UniqueConstraint('account_id', name=op.f('uq_lane_account_id'))
    )
    op.create_index('ix_lane_due', 'lane', ['wake_at'], unique=False, postgresql_where=sa.text('wake_at IS NOT NULL'))
    op.create_table('link_code',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('telegram_id', sa.BigInteger(), nullable=False),
    sa.Column('title', sa.Text(), server_default='', nullable=False),
    sa.Column('username', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('nonce', sa.LargeBinary(), nullable=False),
    sa.Column('code_hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('voided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_link_code_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_code'))
    )
    op.create_index(op.f('ix_link_code_account_id'), 'link_code', ['account_id'], unique=False)
    op.create_index(op.f('ix_link_code_code_hash'), 'link_code', ['code_hash'], unique=False)
    op.create_index(op.f('ix_link_code_created_at'), 'link_code', ['created_at'], unique=False)
    op.create_index('uq_link_code_live', 'link_code', ['telegram_id'], unique=True, postgresql_where=sa.text('used_at IS NULL AND voided_at IS NULL'))
    op.create_table('send_token',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=True),
    sa.Column('prefix', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_send_token_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_send_token')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_send_token_token_hash'))
    )
    op.create_index(op.f('ix_send_token_account_id'), 'send_token', ['account_id'], unique=False)
    op.create_table('sign_in',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('generation', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('rotates', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('rotated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('access_lifetime', sa.Integer(), nullable=False),
    sa.Column('user_agent', sa.Text(), server_default='', nullable=False),
    sa.Column('network', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_sign_in_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in'))
    )
    op.create_index(op.f('ix_sign_in_account_id'), 'sign_in', ['account_id'], unique=False)
    op.create_index(op.f('ix_sign_in_expires_at'), 'sign_in', ['expires_at'], unique=False)
    op.create_table('link_token',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('nonce', sa.LargeBinary(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('voided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('chat_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_link_token_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_token')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_link_token_token_hash'))
    )
    op.create_index(op.f('ix_link_token_account_id'), 'link_token', ['account_id'], unique=False)
    op.create_index('uq_link_token_live', 'link_token', ['account_id'], unique=True, postgresql_where=sa.text('used_at IS NULL AND voided_at IS NULL'))
    op.create_table('message',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('lane_id', sa.BigInteger(), nullable=True),
    sa.Column('seq', sa.BigInteger(), nullable=True),
    sa.Column('direction', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('greeting', sa.Text(), server_default='', nullable=False),
    sa.Column('silent', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('parts', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('parts_sent', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('halved_from', sa.Integer(), nullable=True),
    sa.Column('attempts_made', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('possible_duplicate', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('chat_id', sa.BigInteger(), nullable=True),
    sa.Column('send_token_id', sa.BigInteger(), nullable=True),
    sa.Column('telegram_message_ids', sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_message_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message'))
    )
    op.create_index(op.f('ix_message_account_id_id'), 'message', ['account_id', 'id'], unique=False)
    op.create_index('ix_message_created', 'message', ['created_at'], unique=False)
    op.create_index('ix_message_expiry', 'message', ['expires_at'], unique=False, postgresql_where=sa.text("status IN ('held', 'queued', 'sending')"))
    op.create_index('ix_message_open', 'message', ['lane_id', 'seq'], unique=False, postgresql_where=sa.text("status IN ('held', 'queued', 'sending')"))
    op.create_index('ix_message_search', 'message', [sa.literal_column('account_words(account_id, text)')], unique=False, postgresql_using='gin', postgresql_where=sa.text("status NOT IN ('held', 'queued', 'sending')"))
    op.create_index('ix_message_unhappy', 'message', ['account_id', 'status', 'id'], unique=False, postgresql_where=sa.text("status NOT IN ('queued', 'sending', 'sent')"))
    op.create_index('uq_message_received', 'message', ['chat_id', sa.literal_column('(telegram_message_ids[1])')], unique=True, postgresql_where=sa.text("direction = 'in'"))
    op.create_index('uq_message_sending', 'message', ['lane_id'], unique=True, postgresql_where=sa.text("status = 'sending'"))
    op.create_table('notice',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('telegram_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.Column('chat_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_notice_account_id_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice'))
    )
    op.create_index(op.f('ix_notice_account_id'), 'notice', ['account_id'], unique=False)
    op.create_table('attempt',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('part', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('code', sa.Integer(), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('latency_ms', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_attempt_message_id_message'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attempt'))
    )
    op.create_index(op.f('ix_attempt_message_id'), 'attempt', ['message_id'], unique=False)
    op.create_table('idempotency_key',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.LargeBinary(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('accepted_status', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_idempotency_key_account_id_account'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_idempotency_key_message_id_message'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_id', 'key', name=op.f('pk_idempotency_key'))
    )
    op.create_index(op.f('ix_idempotency_key_created_at'), 'idempotency_key', ['created_at'], unique=False)
    op.create_index(op.f('ix_idempotency_key_message_id'), 'idempotency_key', ['message_id'], unique=False)
    op.execute("INSERT INTO bot (id) VALUES (1)")
    # Rows that are rewritten all the time: room for it on the page, and a vacuum that comes early.
    for table in ("lane", "bot", "message", "heartbeat"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 80)")
    for table in ("lane", "bot", "heartbeat", "hit", "notice"):
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_threshold = 1000)"
        )


def downgrade() -> None:
    op.drop_index(op.f('ix_idempotency_key_message_id'), table_name='idempotency_key')
    op.drop_index(op.f('ix_idempotency_key_created_at'), table_name='idempotency_key')
    op.drop_table('idempotency_key')
    op.drop_index(op.f('ix_attempt_message_id'), table_name='attempt')
    op.drop_table('attempt')
    op.drop_index(op.f('ix_notice_account_id'), table_name='notice')
    op.drop_table('notice')
    op.drop_index('uq_message_sending', table_name='message', postgresql_where=sa.text("status = 'sending'"))
    op.drop_index('uq_message_received', table_name='message', postgresql_where=sa.text("direction = 'in'"))
    op.drop_index('ix_message_unhappy', table_name='message', postgresql_where=sa.text("status NOT IN ('queued', 'sending', 'sent')"))
    op.drop_index('ix_message_search', table_name='message', postgresql_using='gin', postgresql_where=sa.text("status NOT IN ('held', 'queued', 'sending')"))
    op.drop_index('ix_message_open', table_name='message', postgresql_where=sa.text("status IN ('held', 'queued', 'sending')"))
    op.drop_index('ix_message_expiry', table_name='message', postgresql_where=sa.text("status IN ('held', 'queued', 'sending')"))
    op.drop_index('ix_message_created', table_name='message')
    op.drop_index(op.f('ix_message_account_id_id'), table_name='message')
    op.drop_table('message')
    op.drop_index('uq_link_token_live', table_name='link_token', postgresql_where=sa.text('used_at IS NULL AND voided_at IS NULL'))
    op.drop_index(op.f('ix_link_token_account_id'), table_name='link_token')
    op.drop_table('link_token')
    op.drop_index(op.f('ix_sign_in_expires_at'), table_name='sign_in')
    op.drop_index(op.f('ix_sign_in_account_id'), table_name='sign_in')
    op.drop_table('sign_in')
    op.drop_index(op.f('ix_send_token_account_id'), table_name='send_token')
    op.drop_table('send_token')
    op.drop_index('uq_link_code_live', table_name='link_code', postgresql_where=sa.text('used_at IS NULL AND voided_at IS NULL'))
    op.drop_index(op.f('ix_link_code_created_at'), table_name='link_code')
    op.drop_index(op.f('ix_link_code_code_hash'), table_name='link_code')
    op.drop_index(op.f('ix_link_code_account_id'), table_name='link_code')
    op.drop_table('link_code')
    op.drop_index('ix_lane_due', table_name='lane', postgresql_where=sa.text('wake_at IS NOT NULL'))
    op.drop_table('lane')
    op.drop_table('known_network')
    op.drop_index('uq_chat_telegram', table_name='chat', postgresql_where=sa.text('unlinked_at IS NULL'))
    op.drop_index('uq_chat_account', table_name='chat', postgresql_where=sa.text('unlinked_at IS NULL'))
    op.drop_index(op.f('ix_chat_account_id'), table_name='chat')
    op.drop_table('chat')
    op.drop_index(op.f('ix_audit_event_at'), table_name='audit_event')
    op.drop_index(op.f('ix_audit_event_actor_id'), table_name='audit_event')
    op.drop_index(op.f('ix_audit_event_account_id_id'), table_name='audit_event')
    op.drop_table('audit_event')
    op.drop_table('poison_update')
    op.drop_index(op.f('ix_hit_limit_subject_at'), table_name='hit')
    op.drop_index(op.f('ix_hit_at'), table_name='hit')
    op.drop_table('hit')
    op.drop_table('heartbeat')
    op.drop_table('bot')
    op.drop_index('ix_account_erased', table_name='account')
    op.drop_table('account')
    op.execute("DROP FUNCTION account_query(bigint, text)")
    op.execute("DROP FUNCTION account_words(bigint, text)")
