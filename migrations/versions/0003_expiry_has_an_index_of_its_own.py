"""what waits is looked for by its expiry in an index that serves no other question"""

import sqlalchemy as sa
from alembic import op
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index('ix_message_expiry', table_name='message')
    op.create_index('ix_message_expiry', 'message', ['expires_at'], unique=False, postgresql_where=sa.text("status IN ('held', 'queued') AND expires_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index('ix_message_expiry', table_name='message')
    op.create_index('ix_message_expiry', 'message', ['expires_at'], unique=False, postgresql_where=sa.text("status IN ('held', 'queued', 'sending')"))
