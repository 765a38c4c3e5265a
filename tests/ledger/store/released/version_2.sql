PRAGMA user_version = 29;
BEGIN TRANSACTION;
CREATE TABLE accounts (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	baseline_at FLOAT, 
	audit_at FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "accounts" VALUES(1,'main',1700000060.0,1700000870.0);
INSERT INTO "accounts" VALUES(2,'second',1700000120.0,1700001190.0);
CREATE TABLE actions (
	id TEXT NOT NULL, 
	account_id INTEGER NOT NULL, 
	sim_card_id TEXT NOT NULL, 
	action_type TEXT NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT, 
	created_at FLOAT, 
	updated_at FLOAT, 
	seen_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	position BIGINT, 
	stuck BOOLEAN NOT NULL, 
	PRIMARY KEY (id, account_id)
)
 WITHOUT ROWID

;
INSERT INTO "actions" VALUES('id-00000000',1,'sim','enable','completed','x',1699999780.0,1699999780.0,1700000060.0,1700000060.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000011',2,'sim','enable','completed','x',1699999890.0,1699999890.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000014',2,'sim','enable','failed','x',1699999880.0,1699999880.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000015',2,'sim','enable','failed','x',1699999890.0,1699999890.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000016',2,'sim','enable','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000017',2,'sim','enable','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000018',1,'sim','enable','failed','boom',1699999300.0,1700000240.0,1700000060.0,1700000300.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000019',1,'sim','enable','(gone)','x',1699999300.0,1699999300.0,1700000060.0,1700000510.0,NULL,1);
INSERT INTO "actions" VALUES('id-00000020',1,'sim','enable','in-progress','x',1699999300.0,1699999300.0,1700000060.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000021',1,'sim','enable_voice','completed','x',1699999400.0,1700000240.0,1700000060.0,1700000300.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000021',2,'sim','disable','completed','x',1699999810.0,1699999919.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000022',1,'sim-022','enable','failed','SIM card is blocked',1700000160.0,1700000172.5,1700000180.0,1700000180.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000023',1,'sim-023','disable','failed','The IMEI 1 is not authorized
"quoted" 💥',1700000160.0,1700000163.0,1700000180.0,1700000180.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000023',2,'sim','disable','completed','x',1699999830.0,1699999921.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000024',1,'sim-024','set_standby','interrupted','Superseded by a newer request',1700000160.0,1700000172.5,1700000180.0,1700000180.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000025',1,'sim-025','odd_type','failed',NULL,1700000280.0,1700004280.0,1700000300.0,1700000300.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000026',1,'sim-026','enable','in-progress',NULL,1700000280.0,1700000280.0,1700000300.0,NULL,26,0);
INSERT INTO "actions" VALUES('id-00000027',1,'sim','enable','completed',NULL,1700000361.0,1700000361.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000028',1,'sim','enable','completed',NULL,1700000362.0,1700000362.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000028',2,'sim','disable','completed','x',1699999880.0,1699999920.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000029',1,'sim','enable','completed',NULL,1700000363.0,1700000363.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000030',1,'sim','enable','completed',NULL,1700000364.0,1700000364.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000031',1,'sim','enable','completed',NULL,1700000365.0,1700000365.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000032',1,'sim','enable','completed',NULL,1700000366.0,1700000366.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000033',1,'sim','enable','completed',NULL,1700000367.0,1700000367.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000034',1,'sim','enable','completed',NULL,1700000368.0,1700000368.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000034',2,'sim','disable','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000035',1,'sim','enable','completed',NULL,1700000369.0,1700000369.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000035',2,'sim','disable','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000036',1,'sim','enable','completed',NULL,1700000370.0,1700000370.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000037',1,'sim','enable','completed',NULL,1700000371.0,1700000371.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000037',2,'sim','set_standby','completed','x',1699999790.0,1699999790.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000038',1,'sim','enable','completed',NULL,1700000372.0,1700000372.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000039',1,'sim','enable','completed',NULL,1700000373.0,1700000373.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000039',2,'sim','set_standby','completed','x',1699999810.0,1699999810.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000040',1,'sim','enable','completed',NULL,1700000374.0,1700000374.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000040',2,'sim','set_standby','completed','x',1699999820.0,1699999820.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000041',1,'sim','enable','completed',NULL,1700000375.0,1700000375.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000042',1,'sim','enable','completed',NULL,1700000376.0,1700000376.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000042',2,'sim','set_standby','completed','x',1699999840.0,1699999840.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000043',1,'sim','enable','completed',NULL,1700000377.0,1700000377.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000044',1,'sim','enable','completed',NULL,1700000378.0,1700000378.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000045',1,'sim','enable','completed',NULL,1700000379.0,1700000379.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000046',1,'sim','enable','completed',NULL,1700000380.0,1700000380.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000047',1,'sim','enable','completed',NULL,1700000381.0,1700000381.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000048',1,'sim','enable','completed',NULL,1700000382.0,1700000382.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000048',2,'sim','set_standby','failed','x',1699999860.0,1699999860.0,1700000120.0,1700000120.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000049',1,'sim','enable','completed',NULL,1700000383.0,1700000383.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000050',1,'sim','enable','completed',NULL,1700000384.0,1700000384.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000051',1,'sim','enable','completed',NULL,1700000385.0,1700000385.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000052',1,'sim','enable','completed',NULL,1700000386.0,1700000386.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000052',2,'sim','set_standby','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000053',1,'sim','enable','completed',NULL,1700000387.0,1700000387.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000053',2,'sim','set_standby','in-progress','x',1699999700.0,1699999700.0,1700000120.0,NULL,NULL,1);
INSERT INTO "actions" VALUES('id-00000054',1,'sim','enable','completed',NULL,1700000388.0,1700000388.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000054',2,'sim-054','disable','failed','Timed out',1700000220.0,1700000290.0,1700000240.0,1700000240.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000055',1,'sim','enable','completed',NULL,1700000389.0,1700000389.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000055',2,'sim-055','enable','completed',NULL,1700000220.0,1700000221.5,1700000240.0,1700000240.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000056',1,'sim','enable','completed',NULL,1700000390.0,1700000390.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000056',2,'sim-056','set_standby','interrupted','cancelled',1700000220.0,1700000232.5,1700000240.0,1700000240.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000057',1,'sim','enable','completed',NULL,1700000391.0,1700000391.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000057',2,'sim-057','disable','failed','quota',1700000340.0,1700000349.0,1700000360.0,1700000360.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000058',1,'sim','enable','completed',NULL,1700000392.0,1700000392.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000058',2,'sim-058','disable','in-progress',NULL,1700000340.0,1700000340.0,1700000360.0,NULL,NULL,0);
INSERT INTO "actions" VALUES('id-00000059',1,'sim','enable','completed',NULL,1700000393.0,1700000393.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000059',2,'sim-059','disable','interrupted','Cancelled by user',1700001170.0,1700001178.0,1700001190.0,1700001190.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000060',1,'sim','enable','completed',NULL,1700000394.0,1700000394.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000061',1,'sim','enable','completed',NULL,1700000395.0,1700000395.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000062',1,'sim','enable','completed',NULL,1700000396.0,1700000396.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000063',1,'sim','enable','completed',NULL,1700000397.0,1700000397.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000064',1,'sim','enable','completed',NULL,1700000398.0,1700000398.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000065',1,'sim','enable','completed',NULL,1700000399.0,1700000399.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000066',1,'sim','enable','completed',NULL,1700000400.0,1700000400.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000067',1,'sim','enable','completed',NULL,1700000401.0,1700000401.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000068',1,'sim','enable','completed',NULL,1700000402.0,1700000402.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000069',1,'sim','enable','completed',NULL,1700000403.0,1700000403.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000070',1,'sim','enable','completed',NULL,1700000404.0,1700000404.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000071',1,'sim','enable','completed',NULL,1700000405.0,1700000405.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000072',1,'sim','enable','completed',NULL,1700000406.0,1700000406.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000073',1,'sim','enable','completed',NULL,1700000407.0,1700000407.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000074',1,'sim','enable','completed',NULL,1700000408.0,1700000408.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000075',1,'sim','enable','completed',NULL,1700000409.0,1700000409.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000076',1,'sim','enable','completed',NULL,1700000410.0,1700000410.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000077',1,'sim','enable','completed',NULL,1700000411.0,1700000411.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000078',1,'sim','enable','completed',NULL,1700000412.0,1700000412.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000079',1,'sim','enable','completed',NULL,1700000413.0,1700000413.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000080',1,'sim','enable','completed',NULL,1700000414.0,1700000414.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000081',1,'sim','enable','completed',NULL,1700000415.0,1700000415.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000082',1,'sim','enable','completed',NULL,1700000416.0,1700000416.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000083',1,'sim','enable','completed',NULL,1700000417.0,1700000417.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000084',1,'sim','enable','completed',NULL,1700000418.0,1700000418.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000085',1,'sim','enable','completed',NULL,1700000419.0,1700000419.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000086',1,'sim','enable','completed',NULL,1700000420.0,1700000420.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000087',1,'sim','enable','completed',NULL,1700000421.0,1700000421.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000088',1,'sim','enable','completed',NULL,1700000422.0,1700000422.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000089',1,'sim','enable','completed',NULL,1700000423.0,1700000423.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000090',1,'sim','enable','completed',NULL,1700000424.0,1700000424.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000091',1,'sim','enable','completed',NULL,1700000425.0,1700000425.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000092',1,'sim','enable','completed',NULL,1700000426.0,1700000426.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000093',1,'sim','enable','completed',NULL,1700000427.0,1700000427.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000094',1,'sim','enable','completed',NULL,1700000428.0,1700000428.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000095',1,'sim','enable','completed',NULL,1700000429.0,1700000429.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000096',1,'sim','enable','completed',NULL,1700000430.0,1700000430.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000097',1,'sim','enable','completed',NULL,1700000431.0,1700000431.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000098',1,'sim','enable','completed',NULL,1700000432.0,1700000432.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000099',1,'sim','enable','completed',NULL,1700000433.0,1700000433.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000100',1,'sim','enable','completed',NULL,1700000434.0,1700000434.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000101',1,'sim','enable','completed',NULL,1700000435.0,1700000435.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000102',1,'sim','enable','completed',NULL,1700000436.0,1700000436.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000103',1,'sim','enable','completed',NULL,1700000437.0,1700000437.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000104',1,'sim','enable','completed',NULL,1700000438.0,1700000438.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000105',1,'sim','enable','completed',NULL,1700000439.0,1700000439.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000106',1,'sim','enable','completed',NULL,1700000440.0,1700000440.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000107',1,'sim','enable','completed',NULL,1700000441.0,1700000441.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000108',1,'sim','enable','completed',NULL,1700000442.0,1700000442.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000109',1,'sim','enable','completed',NULL,1700000443.0,1700000443.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000110',1,'sim','enable','completed',NULL,1700000444.0,1700000444.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000111',1,'sim','enable','completed',NULL,1700000445.0,1700000445.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000112',1,'sim','enable','completed',NULL,1700000446.0,1700000446.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000113',1,'sim','enable','completed',NULL,1700000447.0,1700000447.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000114',1,'sim','enable','completed',NULL,1700000448.0,1700000448.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000115',1,'sim','enable','completed',NULL,1700000449.0,1700000449.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000116',1,'sim','enable','completed',NULL,1700000450.0,1700000450.0,1700000510.0,1700000510.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000121',1,'sim-121','enable','failed','No response from the carrier',1700000610.0,1700000612.0,1700000630.0,1700000630.0,NULL,0);
INSERT INTO "actions" VALUES('id-00000122',1,'sim-122','enable','failed','No response from the carrier',1700000670.0,1700000672.0,1700000690.0,1700000690.0,NULL,0);
CREATE TABLE listings (
	account_id INTEGER NOT NULL, 
	action_type TEXT NOT NULL, 
	status TEXT NOT NULL, 
	sort_order TEXT NOT NULL, 
	accounted BIGINT NOT NULL, 
	horizon FLOAT, 
	frontier FLOAT, 
	pruned BIGINT NOT NULL, 
	cutoff FLOAT, 
	PRIMARY KEY (account_id, action_type, status)
);
INSERT INTO "listings" VALUES(2,'enable','','oldest',19,1699999890.0,1700000220.0,0,1699999890.0);
INSERT INTO "listings" VALUES(1,'','','newest',121,1700000060.0,1700000670.0,1,1699999400.0);
INSERT INTO "listings" VALUES(2,'disable','','updated',22,1699999920.0,1700001178.0,0,1699999921.0);
INSERT INTO "listings" VALUES(2,'set_standby','','none',18,1700000120.0,1699999860.0,1,1699999860.0);
CREATE TABLE outbox (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	logged BOOLEAN NOT NULL
);
INSERT INTO "outbox" VALUES(1,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000022","sim_card_id":"sim-022","action_type":"enable","status":"failed","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000160.0,"updated_at":1700000172.5,"duration_seconds":12.5}',1);
INSERT INTO "outbox" VALUES(2,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000023","sim_card_id":"sim-023","action_type":"disable","status":"failed","reason":"The IMEI 1 is not authorized\n\"quoted\" 💥","reason_class":"unauthorized_imei","created_at":1700000160.0,"updated_at":1700000163.0,"duration_seconds":3.0}',1);
INSERT INTO "outbox" VALUES(3,1,'sim_card_action_interrupted','{"kind":"sim_card_action_interrupted","account":"main","action_id":"id-00000024","sim_card_id":"sim-024","action_type":"set_standby","status":"interrupted","reason":"Superseded by a newer request","reason_class":"superseded","created_at":1700000160.0,"updated_at":1700000172.5,"duration_seconds":12.5}',1);
INSERT INTO "outbox" VALUES(4,2,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"second","action_id":"id-00000054","sim_card_id":"sim-054","action_type":"disable","status":"failed","reason":"Timed out","reason_class":"timeout","created_at":1700000220.0,"updated_at":1700000290.0,"duration_seconds":70.0}',1);
INSERT INTO "outbox" VALUES(5,2,'sim_card_action_interrupted','{"kind":"sim_card_action_interrupted","account":"second","action_id":"id-00000056","sim_card_id":"sim-056","action_type":"set_standby","status":"interrupted","reason":"cancelled","reason_class":"cancelled","created_at":1700000220.0,"updated_at":1700000232.5,"duration_seconds":12.5}',1);
INSERT INTO "outbox" VALUES(6,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000025","sim_card_id":"sim-025","action_type":"odd_type","status":"failed","reason":"","reason_class":"none","created_at":1700000280.0,"updated_at":1700004280.0,"duration_seconds":4000.0}',1);
INSERT INTO "outbox" VALUES(7,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000018","sim_card_id":"sim","action_type":"enable","status":"failed","reason":"boom","reason_class":"other","created_at":1699999300.0,"updated_at":1700000240.0,"duration_seconds":940.0}',1);
INSERT INTO "outbox" VALUES(10,2,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"second","action_id":"id-00000057","sim_card_id":"sim-057","action_type":"disable","status":"failed","reason":"quota","reason_class":"data_limit","created_at":1700000340.0,"updated_at":1700000349.0,"duration_seconds":9.0}',1);
INSERT INTO "outbox" VALUES(11,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000121","sim_card_id":"sim-121","action_type":"enable","status":"failed","reason":"No response from the carrier","reason_class":"timeout","created_at":1700000610.0,"updated_at":1700000612.0,"duration_seconds":2.0}',1);
INSERT INTO "outbox" VALUES(12,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"id-00000122","sim_card_id":"sim-122","action_type":"enable","status":"failed","reason":"No response from the carrier","reason_class":"timeout","created_at":1700000670.0,"updated_at":1700000672.0,"duration_seconds":2.0}',0);
INSERT INTO "outbox" VALUES(13,2,'sim_card_action_interrupted','{"kind":"sim_card_action_interrupted","account":"second","action_id":"id-00000059","sim_card_id":"sim-059","action_type":"disable","status":"interrupted","reason":"Cancelled by user","reason_class":"cancelled","created_at":1700001170.0,"updated_at":1700001178.0,"duration_seconds":8.0}',0);
INSERT INTO "outbox" VALUES(14,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000052","sim_card_id":"sim","action_type":"set_standby","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
INSERT INTO "outbox" VALUES(15,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000016","sim_card_id":"sim","action_type":"enable","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
INSERT INTO "outbox" VALUES(16,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000017","sim_card_id":"sim","action_type":"enable","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
INSERT INTO "outbox" VALUES(17,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000035","sim_card_id":"sim","action_type":"disable","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
INSERT INTO "outbox" VALUES(18,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000034","sim_card_id":"sim","action_type":"disable","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
INSERT INTO "outbox" VALUES(19,2,'sim_card_action_stuck','{"kind":"sim_card_action_stuck","account":"second","action_id":"id-00000053","sim_card_id":"sim","action_type":"set_standby","status":"in-progress","reason":"x","reason_class":"","created_at":1699999700.0,"updated_at":1699999700.0,"duration_seconds":1490.0}',0);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE sums (
	account_id INTEGER NOT NULL, 
	metric TEXT NOT NULL, 
	action_type TEXT NOT NULL, 
	label TEXT NOT NULL, 
	value FLOAT NOT NULL, 
	exemplar_action_id TEXT, 
	exemplar_sim_card_id TEXT, 
	exemplar_at FLOAT, 
	PRIMARY KEY (account_id, metric, action_type, label)
);
INSERT INTO "sums" VALUES(1,'known','enable','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_standby_sim_card','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_standby_sim_card','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_standby_sim_card','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_standby','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_standby','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_public_ip','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_public_ip','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_public_ip','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','remove_public_ip','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','remove_public_ip','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','remove_public_ip','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_voice','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_voice','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable_voice','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable_voice','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable_voice','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','other','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','other','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','other','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','failed',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','interrupted',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','disable','completed',12.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','set_standby','completed',12.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','set_standby','failed',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','set_standby','in-progress',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','in-progress',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','enable','sim_blocked',1.0,'id-00000022','sim-022',1700000172.5);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','failed/15',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','10',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'created','disable','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','disable','unauthorized_imei',1.0,'id-00000023','sim-023',1700000163.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','disable','failed/5',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','set_standby','interrupted',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'created','set_standby','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'interrupted','set_standby','superseded',1.0,'id-00000024','sim-024',1700000172.5);
INSERT INTO "sums" VALUES(1,'duration_bucket','set_standby','interrupted/15',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','disable','failed',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','set_standby','interrupted',12.5,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','completed',13.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'created','enable','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'completed','enable','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_bucket','enable','completed/5',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_bucket','','30',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'failed','disable','timeout',1.0,'id-00000054','sim-054',1700000290.0);
INSERT INTO "sums" VALUES(2,'duration_bucket','disable','failed/120',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_bucket','','1',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','set_standby','interrupted',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'created','set_standby','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'interrupted','set_standby','cancelled',1.0,'id-00000056','sim-056',1700000232.5);
INSERT INTO "sums" VALUES(2,'duration_bucket','set_standby','interrupted/15',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_bucket','','10',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','enable','completed',1.5,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','set_standby','interrupted',12.5,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','odd_type','failed',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'created','odd_type','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','odd_type','none',1.0,'id-00000025','sim-025',1700004280.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','odd_type','failed/10800',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','1',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','odd_type','failed',4000.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','enable','other',1.0,'id-00000018','sim',1700000240.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','failed/1800',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_voice','other',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable_voice','completed',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'completed','enable_voice','',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable_voice','completed/1800',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','enable_voice','completed',840.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','disable','failed',6.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'failed','disable','data_limit',1.0,'id-00000057','sim-057',1700000349.0);
INSERT INTO "sums" VALUES(2,'duration_bucket','disable','failed/15',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','disable','in-progress',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','disable','failed',79.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable','completed',102.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'completed','enable','',90.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','completed/1',90.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','60',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','90',30.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','120',30.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','300',29.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','enable','completed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable','in-progress',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'unexplained','enable','in-progress',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable','failed',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'created','enable','',94.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','enable','timeout',2.0,'id-00000122','sim-122',1700000672.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','failed/5',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','30',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','enable','failed',956.5,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_sum','','',9593.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'unexplained','enable','completed',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'unexplained','disable','failed',0.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','disable','failed',6.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'sweep_page','enable','completed',21.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'sweep_missing','enable','completed',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','disable','interrupted',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'created','disable','',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'interrupted','disable','cancelled',1.0,'id-00000059','sim-059',1700001178.0);
INSERT INTO "sums" VALUES(2,'duration_bucket','disable','interrupted/15',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_bucket','','15',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','disable','interrupted',8.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_sum','','',49.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'unexplained','set_standby','completed',-1.0,NULL,NULL,NULL);
CREATE INDEX actions_by_end ON actions (account_id, ended_at);
CREATE INDEX actions_interrupted ON actions (account_id, ended_at) WHERE status = 'interrupted';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',19);
COMMIT;
